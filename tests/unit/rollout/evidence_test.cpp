#include <catch2/catch.hpp>

#include <cmath>

#include "libnlb/rollout/load.hpp"

using namespace nlb;
using namespace nlb::rollout;

namespace {

// Share of runs that alarm within `seconds` when the canary's true failure ratio is `ratio`.
double alarm_share(double ratio, double alpha, double base, int runs, int seconds, std::uint64_t seed) {
  Scenario scenario;
  scenario.base = base;
  scenario.effect.factor = ratio;
  int alarms = 0;
  for (int run = 0; run < runs; ++run) {
    Load load(scenario, seed + static_cast<std::uint64_t>(run));
    Evidence evidence(1.25, alpha);
    for (int t = 0; t < seconds && !evidence.alarm(); ++t) evidence.book(t, load.next(0.2).counts, 0.2);
    alarms += evidence.alarm();
  }
  return static_cast<double>(alarms) / runs;
}

double sum_over_outcomes(std::uint64_t bad, double share, std::size_t alternative) {   // of P0(k) times the bet
  const double q0 = 1.25 * share / (1.25 * share + 1 - share);
  double sum = 0, chance = std::pow(1 - q0, static_cast<double>(bad));
  for (std::uint64_t k = 0; k <= bad; ++k) {
    sum += chance * std::exp(rare_event_bets({0, 0, k, bad - k}, share, 1.25)[alternative]);
    chance *= q0 / (1 - q0) * static_cast<double>(bad - k) / static_cast<double>(k + 1);
  }
  return sum;
}

}  // namespace

// By hand: s = 0.5, r0 = 1: q0 = 1/2. rho = 3: q = 3/4; rho = 2: q = 2/3.
TEST_CASE("a bet pays q/q0 for a canary failure and (1-q)/(1-q0) for one of stable") {
  const auto canary = rare_event_bets({1, 1, 1, 0}, 0.5, 1), stable = rare_event_bets({1, 1, 0, 1}, 0.5, 1);
  CHECK(std::exp(canary[2]) == Approx(1.5));
  CHECK(std::exp(stable[2]) == Approx(0.5));
  CHECK(std::exp(canary[1]) == Approx(4.0 / 3));
  CHECK(std::exp(stable[1]) == Approx(2.0 / 3));
  CHECK(std::exp(rare_event_bets({3, 3, 2, 1}, 0.5, 1)[2]) == Approx(1.5 * 1.5 * 0.5));
}

// By hand: s = 0.01, r0 = 1.25: q0 = 0.0125/1.0025; rho = 100: q = 1.25/2.24.
TEST_CASE("at 1 % one canary failure multiplies the boldest bet by 45") {
  CHECK(std::exp(rare_event_bets({5, 495, 1, 0}, 0.01, 1.25)[6]) == Approx((1.25 / 2.24) / (0.0125 / 1.0025)));
  CHECK(std::exp(rare_event_bets({5, 495, 1, 0}, 0.01, 1.25)[6]) == Approx(44.7545).epsilon(1e-4));
}

TEST_CASE("capital is the mean of the bets") {
  LogBets bets{};
  bets[0] = std::log(8);
  CHECK(std::exp(log_mean(bets)) == Approx((8 + 6) / 7.0));
}

// By hand: two of two plus two fail, one each. Tables 1, 4, 1, so the sum at odds w is 1 + 4w + w^2. r0 = 1, base 1/2: odds 1.
TEST_CASE("the Bernoulli form is the exact law of a 2x2 table") {
  const auto bets = bernoulli_bets({2, 2, 1, 1}, 0.5, 1);
  CHECK(std::exp(bets[1]) == Approx(2 * 6.0 / 13));
  CHECK(std::exp(bets[2]) == Approx(3 * 6.0 / 22));
}

TEST_CASE("above 10 % the tolerated ratio is one of risks, not of odds") {
  // 30 % tolerated up to 37.5 %: odds ratio (0.375/0.625)/(0.3/0.7) = 1.4. One of one plus one fails, the canary's: 1.4rho/(1+1.4rho) / (1.4/2.4).
  CHECK(std::exp(bernoulli_bets({1, 1, 1, 0}, 0.3, 1.25)[1]) == Approx((2.8 / 3.8) / (1.4 / 2.4)));
}

TEST_CASE("every bet is fair at the tolerated ratio") {
  for (std::uint64_t bad : {1, 2, 7, 30})
    for (double share : {0.01, 0.3, 0.9})
      for (std::size_t i = 0; i < alternative_count; ++i) CHECK(sum_over_outcomes(bad, share, i) == Approx(1));
}

TEST_CASE("boosted and truncated, a single event is still a fair bet") {
  for (int before = 0; before < 4; ++before) {
    Evidence start(1.25, 0.01);
    for (int t = 0; t < before; ++t) start.book(t, {10000, 990000, 1, 0}, 0.01);
    if (start.alarm()) break;
    auto hit = start, miss = start;
    hit.book(before, {10000, 990000, 1, 0}, 0.01);
    miss.book(before, {10000, 990000, 0, 1}, 0.01);
    const double q0 = 0.0125 / 1.0025;
    const double mean = q0 * std::min(std::exp(hit.log_e()), 100.0) + (1 - q0) * std::exp(miss.log_e());
    CHECK(mean == Approx(std::exp(start.log_e())).epsilon(1e-3));
    if (hit.alarm()) CHECK(std::exp(hit.log_e()) > 100);
  }
}

TEST_CASE("a version at the tolerated ratio alarms in at most alpha of rollouts, however long one looks") {
  const double alpha = 0.05, runs = 1500;
  CHECK(alarm_share(1.25, alpha, 0.002, 1500, 1000, 11) <= alpha + 3 * std::sqrt(alpha * (1 - alpha) / runs));
  CHECK(alarm_share(1.25, alpha, 0.3, 1500, 60, 12) <= alpha + 3 * std::sqrt(alpha * (1 - alpha) / runs));
}

TEST_CASE("the same bound is broken by a version that is worse than tolerated") {
  const double alpha = 0.05, runs = 300;
  const double bound = alpha + 3 * std::sqrt(alpha * (1 - alpha) / runs);
  CHECK(alarm_share(1.9, alpha, 0.002, 300, 1000, 13) > bound);
  CHECK(alarm_share(1.9, alpha, 0.3, 300, 60, 14) > bound);
}

TEST_CASE("an incident that both versions share is no evidence") {
  Evidence evidence;
  for (int t = 0; t < 300; ++t) evidence.book(t, {50, 950, 1, t % 2 == 0 ? 20u : 18u}, 0.05);
  CHECK(evidence.log_e() < 0);
}

TEST_CASE("a late outcome counts at the share of the second of its attempt") {
  Evidence at_once, late;
  at_once.book(0, {10, 990, 1, 0}, 0.01);
  late.book(0, {10, 990, 0, 0}, 0.01);
  late.book(0, {0, 0, 1, 0}, 0.01);
  CHECK(late.log_e() == Approx(at_once.log_e()));
  CHECK(late.total() == at_once.total());

  Evidence then, now;   // the weight has changed meanwhile
  for (auto* each : {&then, &now}) {
    each->book(0, {10, 990, 0, 0}, 0.01);
    each->book(1, {500, 500, 0, 0}, 0.5);
  }
  then.book(0, {0, 0, 1, 0}, 0.01);
  now.book(1, {0, 0, 1, 0}, 0.5);
  CHECK(then.log_e() > now.log_e() + 1);
}

TEST_CASE("a second whose split doesn't fit the weight is judged by its own counts") {
  Evidence usual, burst;   // one client opens a thousand sessions on the canary: then failures there are no surprise
  for (auto* each : {&usual, &burst})
    for (int t = 0; t < 30; ++t) each->book(t, {5, 495, 0, 0}, 0.01);
  usual.book(30, {5, 495, 2, 0}, 0.01);
  burst.book(30, {1005, 495, 2, 0}, 0.01);
  CHECK(burst.log_e() < usual.log_e() - 2);
}

TEST_CASE("saved and restored evidence goes on where it was") {
  Evidence evidence(1.3, 0.02);
  for (int t = 0; t < 50; ++t) evidence.book(t, {50, 950, t % 9 == 0 ? 1u : 0u, 1}, 0.05);
  const auto again = Evidence::restore(evidence.save());
  CHECK(again.log_e() == Approx(evidence.log_e()));
  CHECK(again.log_alarm() == Approx(std::log(50)));
  CHECK(again.total() == evidence.total());
  CHECK(again.tolerated_ratio() == 1.3);
}

TEST_CASE("nothing is learnt where one version has all traffic, or none fails") {
  Evidence evidence;
  evidence.book(0, {100, 0, 5, 0}, 1);
  evidence.book(1, {0, 100, 0, 5}, 0);
  evidence.book(2, {50, 50, 0, 0}, 0.5);
  CHECK(evidence.log_e() == Approx(0).margin(1e-9));
}

TEST_CASE("the speed estimate is ln(7/alpha) over the divergence") {
  CHECK(events_to_detect(0.05, 5, 1, 0.01) == Approx(42.8).epsilon(0.01));
}
