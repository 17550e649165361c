#include <catch2/catch.hpp>

#include <cmath>

#include "libnlb/rollout/simulate.hpp"

using namespace nlb;
using namespace nlb::rollout;

TEST_CASE("binomials have their mean and variance, small and large") {
  Rng rng(1);
  for (auto [n, p] : {std::pair{500u, 0.01}, {500u, 0.5}, {100u, 0.9}, {100000u, 0.3}, {2000u, 0.001}}) {
    double sum = 0, squares = 0;
    const int draws = 20000;
    for (int i = 0; i < draws; ++i) {
      const auto k = static_cast<double>(binomial(rng, n, p));
      REQUIRE(k <= n);
      sum += k;
      squares += k * k;
    }
    const double mean = sum / draws, variance = squares / draws - mean * mean, expected = n * p * (1 - p);
    CHECK(std::abs(mean - n * p) < 4 * std::sqrt(expected / draws));
    CHECK(variance == Approx(expected).epsilon(0.06));
  }
  CHECK(binomial(rng, 10, 0) == 0);
  CHECK(binomial(rng, 10, 1) == 10);
}

TEST_CASE("effects are read, and refused with what would be right") {
  CHECK(parse_effect("none")->factor == 1);
  CHECK(parse_effect("x5")->factor == 5);
  CHECK(parse_effect("+0.05")->added == 0.05);
  for (auto wrong : {"", "5", "x", "x0", "x-1", "+2", "+", "y5", "x5s", "xinf"}) CHECK_FALSE(parse_effect(wrong));
}

TEST_CASE("bursts keep the failure rate, and clients break one in a burst") {
  Scenario scenario;
  scenario.base = 0.02;
  scenario.burst = 10;
  Load load(scenario, 3);
  double events = 0, failures = 0, attempts = 0;
  for (int t = 0; t < 20000; ++t) {
    const auto second = load.next(0.3);
    events += static_cast<double>(second.counts.canary_bad);
    failures += static_cast<double>(second.canary_failures);
    attempts += static_cast<double>(second.counts.canary_attempts);
  }
  CHECK(failures / attempts == Approx(0.02).epsilon(0.05));
  CHECK(failures / events == Approx(10).epsilon(0.02));
}

TEST_CASE("a simulated rollout is the same for the same seed and ends as the canary deserves") {
  Plan plan;
  plan.stable = "v1";
  plan.candidate = "v2";
  plan.steps = default_ladder();
  const auto good = simulate({}, plan, 1);
  CHECK(good.outcome == Outcome::promoted);
  CHECK((good.seconds >= 27 * 60 && good.seconds < 28 * 60));
  Scenario scenario;
  scenario.effect.added = 0.05;
  const auto bad = simulate(scenario, plan, 1), again = simulate(scenario, plan, 1);
  CHECK(bad.outcome == Outcome::rolled_back);
  CHECK((bad.seconds == again.seconds && bad.canary_failures == again.canary_failures));
  scenario.rate = 1;
  scenario.effect = {};
  plan.deadline = 10min;
  CHECK(simulate(scenario, plan, 1).outcome == Outcome::undecided);   // 1 % of one a second is no traffic
}
