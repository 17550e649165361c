#include "libnlb/metrics/exposition.hpp"

#include <cassert>
#include <limits>

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

namespace nlb::metrics {
namespace {

constexpr unsigned first_bound_exponent = 6, dense_bound_exponent = 26, last_bound_exponent = 34;

prometheus::MetricType type_of(const Metric& metric) {
  switch (metric.type) {
    case Type::counter: return prometheus::MetricType::Counter;
    case Type::gauge: return prometheus::MetricType::Gauge;
    case Type::histogram: return prometheus::MetricType::Histogram;
  }
  return prometheus::MetricType::Untyped;
}

prometheus::MetricFamily family_of(const Metric& metric) {
  return {std::string(metric.name), std::string(metric.help), type_of(metric), {}};
}

prometheus::ClientMetric labelled(const Metric& metric, const Snapshot::Labels& values) {
  prometheus::ClientMetric sample;
  for (std::size_t i = 0; i < values.size(); ++i) sample.label.push_back({std::string(metric.labels[i]), values[i]});
  return sample;
}

prometheus::ClientMetric::Histogram buckets_of(const Histogram& h) {
  prometheus::ClientMetric::Histogram result;
  result.sample_count = h.count;
  result.sample_sum = static_cast<double>(h.sum_us) * 1e-6;
  std::uint64_t below = 0;
  std::size_t next = 0;
  for (const auto bound : exported_bounds_us()) {
    while (next < histogram_buckets && bucket_end_us(next) <= bound) below += h.counts[next++];
    result.bucket.push_back({below, static_cast<double>(bound) * 1e-6});
  }
  result.bucket.push_back({h.count, std::numeric_limits<double>::infinity()});
  return result;
}

}  // namespace

std::vector<std::uint64_t> exported_bounds_us() {
  std::vector<std::uint64_t> bounds;
  for (unsigned e = first_bound_exponent; e <= last_bound_exponent; e += e < dense_bound_exponent ? 1 : 2)
    bounds.push_back(std::uint64_t{1} << e);
  return bounds;
}

void Snapshot::add(const Metric& metric, Labels labels, double value) {
  assert(labels.size() == metric.label_count() && metric.type != Type::histogram);
  auto& [known, samples] = numbers_[metric.name];
  known = &metric;
  samples[std::move(labels)] += value;
}

void Snapshot::add(const Metric& metric, Labels labels, const Histogram& histogram) {
  assert(labels.size() == metric.label_count() && metric.type == Type::histogram);
  auto& [known, samples] = histograms_[metric.name];
  known = &metric;
  samples[std::move(labels)] += histogram;
}

std::string exposition(const Snapshot& snapshot) {
  std::map<std::string_view, prometheus::MetricFamily> families;
  for (const auto& [name, entry] : snapshot.numbers_) {
    const Metric& metric = *entry.first;
    auto& family = families.try_emplace(name, family_of(metric)).first->second;
    for (const auto& [labels, value] : entry.second) {
      auto& sample = family.metric.emplace_back(labelled(metric, labels));
      (metric.type == Type::counter ? sample.counter.value : sample.gauge.value) = value;
    }
  }
  for (const auto& [name, entry] : snapshot.histograms_) {
    auto& family = families.try_emplace(name, family_of(*entry.first)).first->second;
    for (const auto& [labels, histogram] : entry.second)
      family.metric.emplace_back(labelled(*entry.first, labels)).histogram = buckets_of(histogram);
  }
  std::vector<prometheus::MetricFamily> in_order;
  for (auto& [name, family] : families) in_order.push_back(std::move(family));
  return prometheus::TextSerializer().Serialize(in_order);
}

std::string documentation() {
  std::string text;
  for (const Metric* m : all) {
    text += m->name;
    for (std::size_t i = 0; i < m->label_count(); ++i) text += (i == 0 ? "{" : ",") + std::string(m->labels[i]);
    if (m->label_count() > 0) text += "}";
    text += "  " + std::string(to_string(m->type)) + (m->unit.empty() ? "" : ", " + std::string(m->unit));
    text += "  " + std::string(m->help) + " [" + std::string(m->program) + "]\n";
  }
  return text;
}

}  // namespace nlb::metrics
