#include <catch2/catch.hpp>

#include "libnlb/scale/policy.hpp"

using namespace nlb;
using namespace nlb::scale;

namespace {
std::string refusal(const Policy& policy) {
  const auto result = checked(policy);
  return result ? "" : result.error().text;
}
}  // namespace

TEST_CASE("the original's defaults are a valid policy") {
  const auto policy = checked({});
  REQUIRE(policy.has_value());
  CHECK(policy->limits.min == 1);
  CHECK(policy->limits.max == 10);
  CHECK(policy->target == std::array<double, metric_kinds>{0, 1000, 70, 80});
  CHECK(policy->threshold.periods == 3);
  CHECK(policy->threshold.up_cooldown == 3min);
  CHECK(policy->threshold.down_cooldown == 5min);
}

TEST_CASE("a policy nobody can follow is refused with every reason") {
  Policy none;
  none.target = {};
  CHECK(refusal(none).find("every target is zero") != std::string::npos);
  Policy both;
  both.limits = {5, 2};
  both.threshold.down_share = 1;
  CHECK(refusal(both).find("min 5 is above max 2") != std::string::npos);
  CHECK(refusal(both).find("thresholds cross") != std::string::npos);
  CHECK(checked(both).error().kind == ErrorKind::bad_input);
  Policy hot;
  hot.target[static_cast<std::size_t>(MetricKind::cpu)] = 101;
  CHECK(refusal(hot).find("cpu is above 100") != std::string::npos);
  Policy endless;
  endless.limits.max = replicas_max + 1;
  CHECK(refusal(endless).find("max 1000001 is above 1000000") != std::string::npos);
  Policy stuck;
  stuck.hpa.up.policies.clear();
  CHECK(refusal(stuck).find("no rate policy") != std::string::npos);
}

TEST_CASE("thresholds that cross are refused with both numbers") {
  Policy policy;
  policy.threshold.up_share = 0.8;
  policy.threshold.down_share = 0.9;
  CHECK(refusal(policy).find("the lower, 90 %, is not below the upper, 80 %") != std::string::npos);
}
