// Reads the Prometheus text format 0.0.4 (https://prometheus.io/docs/instrumenting/exposition_formats/), as any exporter gives it:
// the sum over the series of one name whose labels agree. Total over any text.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace nlb::scale {

struct Scraped {
  double sum = 0;
  bool counter = false;        // by its TYPE line, else by its name's end: _total
};
// Nullopt: no such series. A value that isn't a number (NaN) makes its series absent. O(length).
std::optional<Scraped> scraped(std::string_view text, std::string_view metric, const std::map<std::string, std::string>& labels);

}  // namespace nlb::scale
