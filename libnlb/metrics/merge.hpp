// The metrics of several processes as one: for a parent that answers /metrics for all its children.
#pragma once

#include <string>
#include <vector>

namespace nlb::metrics {

// Prometheus texts (exposition format 0.0.4) of the same program: counters, histograms and most gauges are added up by series; gauges
// that say a state (names.hpp, `is_state`) keep the greatest value. Order and comments are those of the first text that has a metric.
std::string merge_texts(const std::vector<std::string>& texts);

}  // namespace nlb::metrics
