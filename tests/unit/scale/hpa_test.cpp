// The golden vectors: Kubernetes' documentation and code, in numbers.
#include <catch2/catch.hpp>

#include "libnlb/scale/hpa.hpp"

using namespace nlb;
using namespace nlb::scale;

namespace {

Now at(double seconds) { return {MonoTime{} + 24h + from_seconds(seconds), WallTime{} + from_seconds(seconds)}; }

// One pass, applied to the target when it changes something.
struct Loop {
  Hpa hpa;
  std::uint32_t replicas;
  double target = 70;
  explicit Loop(std::uint32_t start, HpaSettings settings = {}, Limits limits = {1, 1000}) : hpa(limits, std::move(settings)), replicas(start) {}
  std::uint32_t pass(double seconds, std::vector<std::optional<std::uint32_t>> wishes) {
    const auto d = hpa.decide(at(seconds), {replicas, replicas, 0, {}}, wishes);
    hpa.applied(at(seconds).mono, replicas, d.wanted);
    return replicas = d.wanted;
  }
  std::uint32_t pass(double seconds, double total) { return pass(seconds, {{want_external(replicas, total, target, 0.1)}}); }
};

}  // namespace

TEST_CASE("the tolerance is compared in IEEE doubles") {
  CHECK(Loop(10).pass(0, 770) == 11);
  CHECK(Loop(10).pass(0, 630) == 10);
  CHECK(Loop(10).pass(0, 771) == 12);
}

TEST_CASE("a decrease waits for the down window") {
  Loop loop(10);
  for (double t = 0; t < 300; t += 15) CHECK(loop.pass(t, 629) == 10);
  CHECK(loop.pass(300, 629) == 9);
}

TEST_CASE("a rise from an empty history doubles or adds four each period") {
  Loop loop(3);
  loop.target = 1;
  CHECK(loop.pass(0, 50) == 7);
  CHECK(loop.pass(15, 50) == 14);
  CHECK(loop.pass(30, 50) == 28);
  CHECK(loop.pass(45, 50) == 50);
}

TEST_CASE("the documentation's own down policies: 80, then 72, then 10 percent of 72 rounds up to 8") {
  HpaSettings settings;
  settings.down = {Duration{}, Select::max, {{RatePolicy::Kind::pods, 4, 60s}, {RatePolicy::Kind::percent, 10, 60s}}};
  Loop loop(80, settings);
  CHECK(loop.pass(0, {{10U}}) == 72);
  CHECK(loop.pass(59.999, {{10U}}) == 72);   // the event is strictly younger than the period
  CHECK(loop.pass(60, {{10U}}) == 64);
}

TEST_CASE("select min takes the smallest change and disabled none") {
  HpaSettings settings;
  settings.down = {Duration{}, Select::min, {{RatePolicy::Kind::pods, 4, 60s}, {RatePolicy::Kind::percent, 10, 60s}}};
  settings.up.select = Select::min;
  CHECK(Loop(80, settings).pass(0, {{10U}}) == 76);
  CHECK(Loop(10, settings).pass(0, {{100U}}) == 14);
  settings.down.select = settings.up.select = Select::disabled;
  CHECK(Loop(80, settings).pass(0, {{10U}}) == 80);
  CHECK(Loop(10, settings).pass(0, {{100U}}) == 10);
}

TEST_CASE("a recommendation counts while it is strictly younger than the window") {
  for (const auto& [age, expected] : std::vector<std::pair<double, std::uint32_t>>{{299, 10}, {300, 6}, {301, 6}}) {
    Loop loop(10);
    CHECK(loop.pass(0, {{10U}}) == 10);
    CHECK(loop.pass(age, {{6U}}) == expected);
  }
}

TEST_CASE("the up window holds a rise back until the smallest recommendation has aged") {
  HpaSettings settings;
  settings.up.window = 60s;
  Loop loop(10, settings);
  CHECK(loop.pass(0, {{10U}}) == 10);
  CHECK(loop.pass(45, {{20U}}) == 10);
  CHECK(loop.pass(60, {{20U}}) == 20);
}

TEST_CASE("a failed metric forbids a decrease but not a rise") {
  CHECK(Loop(8).pass(400, {{5U, std::nullopt}}) == 8);
  CHECK(Loop(8).pass(0, {{12U, std::nullopt}}) == 12);
  Loop all_failed(8);
  CHECK(all_failed.pass(0, {{std::nullopt, std::nullopt}}) == 8);
}

TEST_CASE("the largest of several wishes wins") { CHECK(Loop(8).pass(0, {{9U, 12U, 10U}}) == 12); }

TEST_CASE("zero replicas with a minimum above zero means off") {
  Hpa hpa({1, 10}, {});
  const std::optional<std::uint32_t> wish = 5;
  const auto d = hpa.decide(at(0), {0, 0, 0, {}}, {&wish, 1});
  CHECK(d.wanted == 0);
  CHECK(explain(d).find("off") != std::string::npos);
}

TEST_CASE("outside the limits is corrected at once") {
  CHECK(Loop(1, {}, {3, 10}).pass(0, {{std::nullopt}}) == 3);
  CHECK(Loop(20, {}, {3, 10}).pass(0, {{20U}}) == 10);
}

TEST_CASE("per-pod: missing pods pull against the direction, unready ones against a rise") {
  const Pod hot{true, 150.0}, cold{true, 20.0}, missing{true, std::nullopt}, unready{false, 150.0};
  CHECK(want_per_pod(2, std::vector<Pod>{hot, hot}, 50, 0.1, 100) == 6);
  CHECK(want_per_pod(4, std::vector<Pod>{hot, hot, unready, unready}, 50, 0.1, 100) == 6);   // (150+150+0+0)/4 = 75: 1.5 x 4
  CHECK(want_per_pod(4, std::vector<Pod>{cold, cold, cold, missing}, 50, 0.1, 100) == 4);    // (60+100)/4 = 40: 0.8 x 4 = 3.2
  CHECK(want_per_pod(2, std::vector<Pod>{{true, 60.0}, missing}, 50, 0.1, 100) == 2);        // 1.2, then 0.6: flipped
  CHECK(want_per_pod(2, std::vector<Pod>{missing, unready}, 50, 0.1, 100) == std::nullopt);
}

TEST_CASE("a pod's CPU counts once it is past its start") {
  CHECK_FALSE(cpu_ready({10s, false, 10s, 15s, 5s}));
  CHECK_FALSE(cpu_ready({2min, true, 10s, 15s, 5s}));   // the sample began before it was ready
  CHECK(cpu_ready({2min, true, 30s, 15s, 5s}));
  CHECK_FALSE(cpu_ready({10min, false, 600s, 15s, 5s}));
  CHECK(cpu_ready({10min, false, 60s, 15s, 5s}));       // was ready once: it is slow, not new
}
