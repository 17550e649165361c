#include "libnlb/scale/freshness.hpp"

#include <algorithm>
#include <cmath>

namespace nlb::scale {

Readings Freshness::read(Now now, const Inputs& inputs, const std::array<double, metric_kinds>& target) {
  Readings readings;
  for (const auto& metric : inputs.metrics) {
    const auto k = static_cast<std::size_t>(metric.kind);
    if (target[k] <= 0 || !std::isfinite(metric.total) || metric.total < 0) continue;
    auto& source = sources_[k];
    const bool is_new = !source.known || metric.sequence != source.sequence;
    if (is_new) source = {metric.sequence, now.mono, true};
    const auto longest = std::max<Duration>(longest_, 3 * metric.period);
    if (now.mono - source.advanced > longest || now.mono - metric.at > longest) continue;
    readings[k] = Reading{metric.total, is_new};
  }
  return readings;
}

void note_metrics(Decision& d, const Readings& readings, const std::array<double, metric_kinds>& target) {
  for (std::size_t k = 0; k < metric_kinds; ++k) {
    if (target[k] <= 0) continue;
    if (readings[k]) d.metrics[d.metric_count++] = {static_cast<MetricKind>(k), readings[k]->total, d.at, 0};
    else d.missing = static_cast<std::uint8_t>(d.missing | 1U << k);
  }
}

}  // namespace nlb::scale
