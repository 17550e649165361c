#include "libnlb/scale/policy.hpp"

#include <cmath>
#include <string>

namespace nlb::scale {
namespace {

std::string percent(double share) { return std::to_string(static_cast<int>(std::lround(share * 100))) + " %"; }

struct Reasons {
  std::string text;
  void unless(bool good, std::string_view why) {
    if (good) return;
    if (!text.empty()) text += "; ";
    text += why;
  }
};

void check_targets(const Policy& p, Reasons& r) {
  bool any = false;
  for (std::size_t k = 0; k < metric_kinds; ++k) {
    const auto name = std::string(metric_names[k]);
    r.unless(std::isfinite(p.target[k]) && p.target[k] >= 0, "target " + name + " is not a number of zero or more: give what one replica should carry");
    any = any || p.target[k] > 0;
  }
  r.unless(any, "every target is zero: nothing to scale on: set at least one of rate, connections, cpu, memory above zero");
  for (auto k : {MetricKind::cpu, MetricKind::memory})
    r.unless(p.target[static_cast<std::size_t>(k)] <= 100,
             "target " + std::string(to_string(k)) + " is above 100 percent: it would never be reached: use 1 to 100");
}

void check_direction(const HpaDirection& d, std::string_view name, Reasons& r) {
  const auto of = std::string(name);
  r.unless(d.window >= Duration{} && d.window <= 1h, "hpa " + of + " window is outside 0 to 1h");
  r.unless(d.select == Select::disabled || !d.policies.empty(), "hpa " + of + " has no rate policy: it could never move: add one or disable it");
  for (const auto& policy : d.policies) {
    r.unless(policy.value > 0, "hpa " + of + " rate policy of zero: nothing could move: use select disabled");
    r.unless(policy.period > Duration{} && policy.period <= 30min, "hpa " + of + " rate period is outside 1s to 30m");
  }
}

void check_threshold(const ThresholdSettings& t, Reasons& r) {
  r.unless(t.periods > 0, "periods is zero: a decision needs at least one sample");
  r.unless(t.up_step > 0 && t.down_step > 0, "threshold step is zero: it would never move");
  r.unless(std::isfinite(t.up_share) && t.up_share > 0 && t.down_share >= 0, "a threshold is not a number above zero");
  r.unless(t.down_share < t.up_share,
           "thresholds cross: the lower, " + percent(t.down_share) + ", is not below the upper, " + percent(t.up_share) + ", so it would scale out and in for ever");
  r.unless(t.up_cooldown >= Duration{} && t.down_cooldown >= Duration{}, "a cool-down is negative");
}

}  // namespace

Result<Policy> checked(Policy p) {
  Reasons r;
  r.unless(p.limits.max > 0, "max is zero: nothing could ever run");
  r.unless(p.limits.max <= replicas_max, "max " + std::to_string(p.limits.max) + " is above " + std::to_string(replicas_max));
  r.unless(p.limits.min <= p.limits.max, "min " + std::to_string(p.limits.min) + " is above max " + std::to_string(p.limits.max));
  r.unless(p.interval >= 1s && p.interval <= 1h, "interval is outside 1s to 1h");
  check_targets(p, r);
  r.unless(p.hpa.tolerance >= 0 && p.hpa.tolerance < 1, "hpa tolerance is outside 0 to 1");
  check_direction(p.hpa.up, "up", r);
  check_direction(p.hpa.down, "down", r);
  check_threshold(p.threshold, r);
  r.unless(p.predictive.startup >= Duration{} && p.predictive.startup <= 1h, "start-up delay is outside 0 to 1h");
  r.unless(p.predictive.down_cooldown >= Duration{} && p.predictive.down_cooldown <= 7 * 24h, "the down cool-down is outside 0 to 7 days");
  r.unless(p.predictive.saturation > 0 && p.predictive.saturation <= 1, "saturation is outside 0 to 1");
  if (!r.text.empty()) return fail(ErrorKind::bad_input, "policy refused: " + r.text);
  return p;
}

}  // namespace nlb::scale
