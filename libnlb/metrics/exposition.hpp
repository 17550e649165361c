// A snapshot of samples as Prometheus text (exposition format 0.0.4), through prometheus-cpp.
//
// Every scrape collects a fresh Snapshot, so the series of modules and versions that are gone are gone too. Metrics
// come in order of name and samples in order of labels, whatever order they were added in. Samples with the same
// labels are added up: two services of one protocol may each have a module `a`, and replicas are kept per service
// but shown per protocol.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "libnlb/metrics/histogram.hpp"
#include "libnlb/metrics/names.hpp"

namespace nlb::metrics {

class Snapshot {
 public:
  using Labels = std::vector<std::string>;   // values, in the order of Metric::labels
  // Preconditions: as many labels as the metric has; the first for counters and gauges, the second for histograms.
  void add(const Metric& metric, Labels labels, double value);
  void add(const Metric& metric, Labels labels, std::uint64_t value) { add(metric, std::move(labels), static_cast<double>(value)); }
  void add(const Metric& metric, Labels labels, int value) { add(metric, std::move(labels), static_cast<double>(value)); }
  void add(const Metric& metric, Labels labels, const Histogram& histogram);

 private:
  friend std::string exposition(const Snapshot& snapshot);
  template <class Value>
  using Families = std::map<std::string_view, std::pair<const Metric*, std::map<Labels, Value>>>;   // by name
  Families<double> numbers_;
  Families<Histogram> histograms_;
};

inline constexpr std::string_view exposition_content_type = "text/plain; version=0.0.4; charset=utf-8";
std::string exposition(const Snapshot& snapshot);

// The upper bounds of exported buckets: powers of two from 64 us to 67 s, then times four to 4.8 h. Each is a bucket
// bound of Histogram, so nothing is interpolated.
std::vector<std::uint64_t> exported_bounds_us();

// The table of all metrics as a manual shows it: one "name{labels}  type  unit  help" line per metric.
std::string documentation();

}  // namespace nlb::metrics
