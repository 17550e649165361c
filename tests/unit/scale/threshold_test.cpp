#include <catch2/catch.hpp>

#include "libnlb/scale/decider.hpp"

using namespace nlb;
using namespace nlb::scale;

namespace {

struct Bench {   // a target that obeys, a clock that is told
  Decider decider;
  std::uint32_t replicas = 4;
  double seconds = 0;
  std::uint64_t sequence = 0;
  explicit Bench(Policy policy) : decider(std::move(policy)) {}
  Decision decide(std::optional<double> cpu, bool frozen = false, std::uint32_t hold = 0) {
    seconds += 30;
    const auto mono = MonoTime{} + 1h + from_seconds(seconds);
    if (!frozen) ++sequence;
    const Metric metric{MetricKind::cpu, cpu.value_or(0) * replicas, mono, sequence};
    const auto d = decider.decide({mono, WallTime{}}, {replicas, replicas, hold, {&metric, cpu ? 1U : 0U}});
    decider.applied(mono, replicas, d.wanted);
    replicas = d.wanted;
    return d;
  }
};

Policy original() {
  Policy p;
  p.strategy = Strategy::threshold;
  p.target = {0, 0, 70, 0};
  return p;
}

}  // namespace

TEST_CASE("three fresh samples above the target add one replica, then the cool-down counts") {
  Bench bench(original());
  CHECK(bench.decide(90).wanted == 4);
  CHECK(bench.decide(90).wanted == 4);
  CHECK(bench.decide(90).winner == Rule::threshold_up);
  CHECK(bench.replicas == 5);
  for (int i = 0; i < 5; ++i) CHECK(bench.decide(90).wanted == 5);   // 150 s of 180 s
  CHECK(bench.decide(90).wanted == 6);
}

TEST_CASE("the same stale sample is judged once") {
  Bench bench(original());
  bench.decide(90);
  for (int i = 0; i < 10; ++i) CHECK(bench.decide(90, true).wanted == 4);
}

TEST_CASE("a rise delays the next fall by the fall's own cool-down") {
  Bench bench(original());
  for (int i = 0; i < 3; ++i) bench.decide(90);
  REQUIRE(bench.replicas == 5);
  for (int i = 0; i < 9; ++i) CHECK(bench.decide(10).wanted == 5);   // 270 s of 300 s
  CHECK(bench.decide(10).winner == Rule::threshold_down);
  CHECK(bench.replicas == 4);
}

TEST_CASE("a step in that would be undone at once is not taken") {
  Bench bench(original());
  bench.replicas = 2;
  for (int i = 0; i < 20; ++i) CHECK(bench.decide(45).wanted == 2);   // 45 % on two is 90 % on one
}

TEST_CASE("silence never scales in, and ends a run of low samples") {
  Bench bench(original());
  bench.decide(10);
  bench.decide(10);
  for (int i = 0; i < 20; ++i) CHECK(bench.decide(std::nullopt).wanted == 4);
  CHECK(bench.decide(10).wanted == 4);
  CHECK(bench.decide(10).wanted == 4);
  CHECK(bench.decide(10).wanted == 3);
}

TEST_CASE("limits are corrected at once and a hold is kept") {
  Bench bench(original());
  bench.replicas = 0;
  CHECK(bench.decide(std::nullopt).wanted == 1);
  bench.replicas = 14;
  CHECK(bench.decide(10).wanted == 10);
  for (int i = 0; i < 60; ++i) CHECK(bench.decide(10, false, 7).wanted >= 7);
  CHECK(bench.replicas == 7);
}

TEST_CASE("a step in is at most the limit, and never so large that it would be undone or go below the minimum") {
  auto policy = original();
  policy.threshold.down_step = 10;
  policy.threshold.down_cooldown = 0s;
  Bench bench(policy);
  bench.replicas = 8;
  for (int i = 0; i < 3; ++i) bench.decide(20);      // 160 % in all: three carry it
  CHECK(bench.replicas == 3);
  for (int i = 0; i < 3; ++i) bench.decide(1);
  CHECK(bench.replicas == 1);
}

TEST_CASE("the thresholds are shares of the target, and going in never ends above the upper one") {
  auto policy = original();
  policy.threshold.up_share = 0.9;
  policy.threshold.down_share = 0.6;
  policy.threshold.down_step = 3;
  Bench high(policy);
  for (int i = 0; i < 3; ++i) high.decide(65);                     // 93 % of 70
  CHECK(high.replicas == 5);
  Bench low(policy);
  for (int i = 0; i < 3; ++i) low.decide(40);                      // 57 %: 4 carry what 2.54 could at 90 %
  CHECK(low.replicas == 3);
}
