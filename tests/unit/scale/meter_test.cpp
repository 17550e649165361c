#include <catch2/catch.hpp>

#include <limits>

#include "libnlb/scale/meter.hpp"

using namespace nlb;
using namespace nlb::scale;

namespace {

MonoTime at(double seconds) { return MonoTime{} + from_seconds(1000 + seconds); }
std::optional<double> total(Meter& meter, MetricKind kind, MonoTime now) {
  for (const auto& m : meter.metrics(now))
    if (m.kind == kind) return m.total;
  return std::nullopt;
}

}  // namespace

TEST_CASE("counters of several forwarders become one rate, by each one's own clock") {
  Meter meter({5s});
  meter.count("a", MetricKind::rate, 100, 10s, 1, at(0));
  CHECK_FALSE(total(meter, MetricKind::rate, at(0)));            // one reading is no rate
  meter.count("a", MetricKind::rate, 200, 15s, 1, at(5));
  meter.count("b", MetricKind::rate, 0, 100s, 7, at(0));
  meter.count("b", MetricKind::rate, 50, 105s, 7, at(5));
  CHECK(total(meter, MetricKind::rate, at(5)) == Approx(30));
  meter.count("a", MetricKind::rate, 200, 15s, 1, at(6));        // the same message again
  CHECK(meter.metrics(at(6))[0].sequence == 2);
}

TEST_CASE("a source that starts anew is not a negative rate") {
  Meter meter({5s});
  meter.count("a", MetricKind::rate, 1000, 10s, 1, at(0));
  meter.count("a", MetricKind::rate, 1500, 15s, 1, at(5));
  meter.count("a", MetricKind::rate, 3, 1s, 2, at(6));           // restarted: the last rate stays until it has a new one
  CHECK(total(meter, MetricKind::rate, at(6)) == Approx(100));
  meter.count("a", MetricKind::rate, 13, 2s, 2, at(7));
  CHECK(total(meter, MetricKind::rate, at(7)) == Approx(10));
}

TEST_CASE("a silent source makes the picture incomplete, all silent ones make it missing") {
  Meter meter({5s, 10min});
  meter.level("a", MetricKind::connections, 10, 1, at(0));
  meter.level("b", MetricKind::connections, 20, 1, at(0));
  CHECK(meter.complete(at(10)));
  meter.level("a", MetricKind::connections, 11, 2, at(20));
  CHECK_FALSE(meter.complete(at(20)));
  CHECK(total(meter, MetricKind::connections, at(20)) == Approx(31));   // what b said last still counts
  CHECK_FALSE(total(meter, MetricKind::connections, at(40)));
  meter.level("a", MetricKind::connections, 11, 3, at(601));
  CHECK(meter.complete(at(601)));                                // b is forgotten
  CHECK(total(meter, MetricKind::connections, at(601)) == Approx(11));
}

TEST_CASE("the same sample again is no news, and impossible values are none") {
  Meter meter({5s});
  meter.level("a", MetricKind::connections, 10, 1, at(0));
  for (int i = 1; i < 8; ++i) meter.level("a", MetricKind::connections, 10, 1, at(3.0 * i));
  CHECK_FALSE(total(meter, MetricKind::connections, at(21)));    // frozen is missing
  meter.level("a", MetricKind::connections, std::numeric_limits<double>::quiet_NaN(), 2, at(22));
  meter.level("a", MetricKind::connections, -1, 3, at(22));
  CHECK_FALSE(total(meter, MetricKind::connections, at(22)));
  CHECK(meter.ignored() == 2);
}

TEST_CASE("a source that says good-bye is forgotten at once") {
  Meter meter({5s});
  meter.level("a", MetricKind::connections, 10, 1, at(0));
  meter.level("b", MetricKind::connections, 20, 1, at(0));
  meter.forget("b");
  CHECK(total(meter, MetricKind::connections, at(1)) == Approx(10));
  CHECK(meter.complete(at(10)));
}

TEST_CASE("sources are bounded") {
  Meter meter({5s, 10min, 3});
  for (int i = 0; i < 10; ++i) meter.level("s" + std::to_string(i), MetricKind::connections, 1, 1, at(0));
  CHECK(total(meter, MetricKind::connections, at(1)) == Approx(3));
  CHECK(meter.ignored() == 7);
}

TEST_CASE("a source with a slower rhythm than the interval isn't silent between its words") {
  Meter meter({5s});
  meter.level("module a", MetricKind::cpu, 50, 1, at(0), 20s);
  meter.level("module b", MetricKind::cpu, 30, 1, at(0), 20s);
  auto metrics = meter.metrics(at(50));
  REQUIRE(metrics.size() == 1);
  CHECK(metrics[0].total == 80);
  CHECK(metrics[0].period == 20s);
  CHECK(meter.complete(at(50)));
  meter.level("module a", MetricKind::cpu, 60, 2, at(50), 20s);
  CHECK_FALSE(meter.complete(at(61)));                            // b has missed three of its beats
  meter.forget("module b");
  CHECK(meter.complete(at(61)));
}
