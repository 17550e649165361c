// Properties every strategy keeps, whatever the load, the metrics and the holds do.
#include <catch2/catch.hpp>

#include <cmath>

#include "libnlb/core/rng.hpp"
#include "libnlb/scale/decider.hpp"

using namespace nlb;
using namespace nlb::scale;

namespace {

constexpr std::array<Strategy, 3> strategies = {Strategy::threshold, Strategy::hpa, Strategy::predictive};

Policy rate_policy(Strategy strategy, Limits limits = {2, 40}) {
  Policy p;
  p.strategy = strategy;
  p.limits = limits;
  p.target = {70, 0, 0, 0};
  p.interval = 5s;
  return p;
}

Now at(std::int64_t seconds) { return {MonoTime{} + 24h + std::chrono::seconds{seconds}, WallTime{} + std::chrono::seconds{seconds}}; }

double load_at(std::int64_t t, Rng& rng) {
  return 800 + 600 * std::sin(static_cast<double>(t) / 2000) + 200 * rng.uniform() + (t % 7000 < 200 ? 1500 : 0);
}

Decision tick(Decider& decider, std::int64_t t, double load, std::uint32_t& replicas, std::uint32_t hold = 0) {
  const Metric metric{MetricKind::rate, load, at(t).mono, static_cast<std::uint64_t>(t)};
  const auto d = decider.decide(at(t), {replicas, replicas, hold, {&metric, 1}});
  decider.applied(at(t).mono, replicas, d.wanted);
  replicas = d.wanted;
  return d;
}

}  // namespace

TEST_CASE("never outside the limits, never below a hold") {
  for (auto strategy : strategies) {
    Rng rng(11);
    Decider decider(rate_policy(strategy));
    std::uint32_t replicas = 5, least = 1000, most = 0;
    for (std::int64_t t = 0; t < 60000; t += 5) {
      const std::uint32_t hold = t % 20000 < 5000 ? 12 : t % 20000 < 7000 ? 90 : 0;
      tick(decider, t, load_at(t, rng) * (t % 9000 < 1000 ? 4 : 1) * (t % 11000 < 2000 ? 0.02 : 1), replicas, hold);
      REQUIRE(replicas >= 2);
      REQUIRE(replicas <= 40);
      REQUIRE(replicas >= std::min(hold, 40U));
      least = std::min(least, replicas);
      most = std::max(most, replicas);
    }
    CHECK(most == 40);
    if (strategy != Strategy::threshold) CHECK(least < 12);   // it falls by one in five minutes: no time for it here
  }
}

TEST_CASE("missing, frozen, old and impossible metrics never scale in") {
  for (auto strategy : strategies) {
    for (int kind = 0; kind < 4; ++kind) {
      Rng rng(5);
      Decider decider(rate_policy(strategy));
      std::uint32_t replicas = 5;
      for (std::int64_t t = 0; t < 4000; t += 5) tick(decider, t, load_at(t, rng), replicas);
      const auto before = replicas;
      REQUIRE(before > 2);
      for (std::int64_t t = 4020; t < 12000; t += 5) {   // beyond three periods
        const Metric frozen{MetricKind::rate, 1, at(t).mono, 3995}, old{MetricKind::rate, 1, at(3000).mono, static_cast<std::uint64_t>(t)};
        const Metric absurd{MetricKind::rate, std::nan(""), at(t).mono, static_cast<std::uint64_t>(t)};
        const std::array<std::span<const Metric>, 4> inputs = {std::span<const Metric>{}, {&frozen, 1}, {&old, 1}, {&absurd, 1}};
        const auto d = decider.decide(at(t), {replicas, replicas, 0, inputs[static_cast<std::size_t>(kind)]});
        REQUIRE(d.wanted >= before);
      }
    }
  }
}

TEST_CASE("one missing metric of two forbids scaling in but not out") {
  for (auto strategy : {Strategy::hpa, Strategy::predictive}) {
    auto policy = rate_policy(strategy);
    policy.target = {70, 0, 50, 0};
    Decider decider(policy);
    std::uint32_t replicas = 10;
    for (std::int64_t t = 0; t < 3600; t += 5) REQUIRE(tick(decider, t, 70, replicas).wanted == 10);
    tick(decider, 3600, 1400, replicas);
    CHECK(tick(decider, 3605, 1400, replicas).wanted > 10);
  }
}

TEST_CASE("a restart from the saved state decides the same") {
  for (auto strategy : strategies) {
    Rng rng(23);
    const auto policy = rate_policy(strategy);
    Decider one(policy);
    std::uint32_t replicas = 5;
    one.started(41s); one.started(45s); one.started(43s);
    for (std::int64_t t = 0; t < 100000; t += 5) tick(one, t, load_at(t, rng), replicas);
    const auto saved = one.save(at(100000));
    Decider two(policy);
    // another boot: its steady clock starts elsewhere
    REQUIRE(two.load(saved, at(100000)).has_value());
    CHECK(two.startup() == one.startup());
    auto replicas_two = replicas;
    for (std::int64_t t = 100000; t < 130000; t += 5) {
      const double load = load_at(t, rng);
      REQUIRE(tick(one, t, load, replicas).wanted == tick(two, t, load, replicas_two).wanted);
    }
  }
}

TEST_CASE("ages survive a steady clock that started anew") {
  const auto policy = rate_policy(Strategy::hpa);
  Decider one(policy);
  std::uint32_t replicas = 10;
  for (std::int64_t t = 0; t < 100; t += 5) tick(one, t, 700, replicas);
  Decider two(policy);
  const auto boot = [](std::int64_t seconds) { return Now{MonoTime{} + 1h + std::chrono::seconds{seconds}, WallTime{}}; };
  REQUIRE(two.load(one.save(at(100)), boot(0)).has_value());
  std::int64_t fell = 0;
  for (std::int64_t t = 0; t < 600 && fell == 0; t += 5) {
    const Metric metric{MetricKind::rate, 70, boot(t).mono, static_cast<std::uint64_t>(t) + 1000};
    if (two.decide(boot(t), {10, 10, 0, {&metric, 1}}).wanted < 10) fell = t;
  }
  CHECK(fell == 295);   // 300 s after the last recommendation of ten, which was 5 s old
}

TEST_CASE("a damaged state is refused and changes nothing") {
  Decider decider(rate_policy(Strategy::predictive));
  std::uint32_t replicas = 5;
  for (std::int64_t t = 0; t < 1000; t += 5) tick(decider, t, 500, replicas);
  const auto good = decider.save(at(1000));
  for (std::size_t cut : {std::size_t{0}, std::size_t{1}, good.size() / 2, good.size() - 1})
    CHECK(decider.load(good.substr(0, cut), at(1000)).error().kind == ErrorKind::bad_input);
  CHECK(decider.load("{}", at(1000)).error().kind == ErrorKind::bad_input);
  CHECK(decider.load("[1,2]", at(1000)).error().kind == ErrorKind::bad_input);
  CHECK(decider.save(at(1000)) == good);
}

TEST_CASE("the start-up delay is the slow end of what was seen") {
  StartupDelay delay(30s);
  CHECK(delay.estimate() == 30s);
  for (int i = 1; i <= 10; ++i) delay.observed(std::chrono::seconds{10 * i});
  CHECK(delay.estimate() == 90s);
  delay.observed(-5s);
  CHECK(delay.estimate() == 90s);
  for (int i = 0; i < 32; ++i) delay.observed(20s);
  CHECK(delay.estimate() == 20s);
}

TEST_CASE("explain names inputs, opinions, the winner and the counterfactual") {
  Decider decider(rate_policy(Strategy::predictive));
  std::uint32_t replicas = 9;
  tick(decider, 0, 70, replicas);
  const auto text = explain(tick(decider, 5, 70, replicas, 20));
  CHECK(text.find("rate 70") != std::string::npos);
  CHECK(text.find("reactive wanted 1") != std::string::npos);
  CHECK(text.find("decided 20 by hold; without it 2") != std::string::npos);
}

TEST_CASE("steps are limited in both directions, but not what corrects a count outside the limits") {
  for (auto strategy : {Strategy::hpa, Strategy::predictive}) {
    auto policy = rate_policy(strategy);
    policy.steps = {3, 2};
    Decider decider(policy);
    std::uint32_t replicas = 2;
    for (std::int64_t t = 0; replicas < 20; t += 5) {
      const auto before = replicas;
      tick(decider, t, 1400, replicas);
      REQUIRE(replicas <= before + 3);
      REQUIRE(t < 3600);
    }
    for (std::int64_t t = 4000; replicas > 2; t += 5) {
      const auto before = replicas;
      tick(decider, t, 10, replicas);
      REQUIRE(replicas + 2 >= before);
      REQUIRE(t < 20000);
    }
    replicas = 90;
    CHECK(tick(decider, 20005, 10, replicas).winner == Rule::above_max);
    CHECK(replicas == 40);
  }
}

TEST_CASE("the cool-down of going in is the policy's") {
  for (const Duration cooldown : {Duration(0s), Duration(1min)}) {
    auto policy = rate_policy(Strategy::predictive);
    policy.predictive.down_cooldown = cooldown;
    Decider decider(policy);
    std::uint32_t replicas = 2;
    std::int64_t t = 0;
    for (; t < 600; t += 5) tick(decider, t, 1400, replicas);
    for (; replicas > 4; t += 5) {
      tick(decider, t, 70, replicas);
      REQUIRE(t < 3600);
    }
    CHECK(t > 600 + cooldown / 1s);
    CHECK(t < 600 + 16 * 60 + 7 * (cooldown / 1s));                // the plans' own memory is 15 minutes
  }
}
