#include "libnlb/scale/meter.hpp"

#include <algorithm>
#include <cmath>

namespace nlb::scale {

Meter::Source* Meter::find(const std::string& source, MetricKind kind) {
  const auto at = sources_.find({source, kind});
  if (at != sources_.end()) return &at->second;
  if (sources_.size() >= options_.sources_max) {
    ++ignored_;
    return nullptr;
  }
  return &sources_[{source, kind}];
}

void Meter::renew(Source& source, MetricKind kind, std::optional<double> value, MonoTime now) {
  source.at = now;
  if (!value) return;
  source.value = value;
  ++sequence_[static_cast<std::size_t>(kind)];
}

void Meter::level(const std::string& source, MetricKind kind, double total, std::uint64_t sample, MonoTime now, Duration period) {
  if (!std::isfinite(total) || total < 0) {
    ++ignored_;
    return;
  }
  auto* s = find(source, kind);
  if (s == nullptr || (s->value && s->sample == sample)) return;
  s->sample = sample;
  s->period = period;
  renew(*s, kind, total, now);
}

void Meter::count(const std::string& source, MetricKind kind, double since_start, Duration clock, std::uint64_t life, MonoTime now) {
  if (!std::isfinite(since_start) || since_start < 0) {
    ++ignored_;
    return;
  }
  auto* s = find(source, kind);
  if (s == nullptr) return;
  auto& points = s->points;
  if (!points.empty() && s->life == life && clock <= points.back().clock) return;         // the same message, or an older one
  if (s->life != life || (!points.empty() && since_start < points.back().value)) points.clear();   // it started anew
  s->life = life;
  points.push_back({clock, since_start});
  while (points.size() > 2 && clock - points[1].clock >= options_.interval) points.pop_front();
  if (points.size() < 2) return renew(*s, kind, std::nullopt, now);
  renew(*s, kind, (since_start - points.front().value) / to_seconds(clock - points.front().clock), now);
}

void Meter::forget(const std::string& source) {
  std::erase_if(sources_, [&](const auto& item) { return item.first.first == source; });
}

std::vector<Metric> Meter::metrics(MonoTime now) {
  std::erase_if(sources_, [&](const auto& item) { return now - item.second.at > options_.forget_after; });
  struct Sum { double total = 0; MonoTime newest; Duration period{}; bool fresh = false; };
  std::array<Sum, metric_kinds> sums;
  for (const auto& [key, source] : sources_) {
    if (!source.value) continue;
    auto& sum = sums[static_cast<std::size_t>(key.second)];
    sum.total += *source.value;
    sum.newest = std::max(sum.newest, source.at);
    sum.period = std::max(sum.period, source.period);
    sum.fresh = sum.fresh || !silent(source, now);
  }
  std::vector<Metric> out;
  for (std::size_t k = 0; k < metric_kinds; ++k)
    if (sums[k].fresh) out.push_back({static_cast<MetricKind>(k), sums[k].total, sums[k].newest, sequence_[k], sums[k].period});
  return out;
}

bool Meter::complete(MonoTime now) const {
  return std::none_of(sources_.begin(), sources_.end(), [&](const auto& item) {
    return silent(item.second, now) && now - item.second.at <= options_.forget_after;
  });
}

}  // namespace nlb::scale
