#include "libnlb/scale/predictive.hpp"
#include <cmath>
namespace nlb::scale {
Decision Predictive::decide(Now now, const Inputs& inputs, const Readings& readings, const std::array<double, metric_kinds>& target, Duration startup) {
  auto d = begin(now, inputs);
  note_metrics(d, readings, target);
  if (!readings[0]) { apply_limits(d, limits_); return d; }
  recent_.add(now.mono, readings[0]->total);
  const double m15 = *recent_.mean(now.mono, 15s), m60 = *recent_.mean(now.mono, 60s);
  const double p60 = recent_.mean(now.mono, 120s, 60s).value_or(m60);
  double need = std::max(m15, m60);
  if (m60 > p60) need += (m60 - p60) / 60 * std::min(to_seconds(startup) + 10, 120.0);
  const auto want = static_cast<std::uint32_t>(std::ceil(need / target[0]));
  down_.add(now.mono, want);
  if (want > d.current && need > d.current * target[0] * 1.1) d.say(Rule::reactive, want, need);
  else if (*down_.best() < d.current * 0.9) d.say(Rule::reactive, *down_.best(), need);
  apply_limits(d, limits_);
  return d;
}
}  // namespace nlb::scale
