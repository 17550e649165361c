#include <catch2/catch.hpp>

#include "libnlb/core/rng.hpp"
#include "libnlb/rollout/aa.hpp"
#include "libnlb/rollout/load.hpp"

using namespace nlb;
using namespace nlb::rollout;

namespace {

JudgeOptions options(double alpha) {
  JudgeOptions made;
  made.alpha = alpha;
  return made;
}
Sample failures(const Counts& counts) { return {0, 0.5, {{0, counts, {}}}}; }

}  // namespace

TEST_CASE("the tail of a binomial") {
  CHECK(binomial_tail(10, 0, 0.3) == Approx(1));
  CHECK(binomial_tail(2, 1, 0.5) == Approx(0.75));
  CHECK(binomial_tail(5, 1, 0.01) == Approx(1 - 0.99 * 0.99 * 0.99 * 0.99 * 0.99));
}

TEST_CASE("two halves of a sound stable alarm rarely, and r0 stays") {
  AaTest test(options(0.05));
  Rng rng(5);
  for (std::int64_t t = 0; test.trials() < 100; ++t) {
    const auto half = binomial(rng, 100, 0.5);
    CHECK_FALSE(test.book(t, failures({half, 100 - half, binomial(rng, half, 0.01), binomial(rng, 100 - half, 0.01)})));
  }
  CHECK(test.alarm_rate() <= 0.05);
  CHECK(test.tolerated_ratio() == 1.25);
}

TEST_CASE("halves that differ by bursts alarm too often: r0 rises until they don't, and its limit holds") {
  AaTest test(options(0.01));
  Rng rng(6);
  double raised_to = 0;
  for (std::int64_t t = 0; test.trials() < 200; ++t) {
    Counts halves{50, 50, 0, 0};
    if (rng.below(100) == 0) (rng.below(2) == 0 ? halves.canary_bad : halves.stable_bad) = 20;   // one client, counted raw
    if (const auto ratio = test.book(t, failures(halves))) raised_to = *ratio;
  }
  CHECK(raised_to > 1.25);
  CHECK(raised_to == test.tolerated_ratio());
  CHECK(raised_to <= tolerated_ratio_max);
  const auto again = AaTest::restore(test.save(), options(0.01));
  CHECK(again.alarms() == test.alarms());
  CHECK(again.tolerated_ratio() == test.tolerated_ratio());
  CHECK(again.explain().find("false alarms in 200 trials") != std::string::npos);
  CHECK(again.explain().find("the last false alarm: failures: canary") != std::string::npos);
}

TEST_CASE("every signal of the judge is tested, each with its own part of alpha") {
  auto all = options(0.01);
  all.signals = default_signals();
  AaTest test(all);
  for (std::int64_t t = 0; t < 60 && test.alarms() == 0; ++t) test.book(t, {0, 0.5, {{2, {50, 50, 5, 0}, {}}}});   // one half is slow
  CHECK(test.alarms() == 1);
  CHECK(test.save().last_alarm.find("first_byte_p95") == 0);
}
