#include "libnlb/metrics/merge.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <unordered_map>

namespace nlb::metrics {
namespace {

// Gauges whose sum over processes means nothing.
constexpr std::array<std::string_view, 9> states = {"nlb_build_info", "nlb_start_time_seconds", "nlb_config_generation", "nlb_bus_age_seconds",
                                                    "nlb_bus_facts", "nlb_bus_conflicts", "nlb_bus_insecure",
                                                    "nlb_module_health", "nlb_split_generation"};

bool is_state(std::string_view series) {
  const auto name = series.substr(0, series.find('{'));
  return std::find(states.begin(), states.end(), name) != states.end();
}

std::string number(double value) {
  char text[40];
  std::snprintf(text, sizeof text, "%.17g", value);
  return text;
}

struct Line {
  std::string text;      // a comment, or a series without its value
  double value = 0;
  bool series = false;
};

}  // namespace

std::string merge_texts(const std::vector<std::string>& texts) {
  std::vector<Line> lines;
  std::unordered_map<std::string, std::size_t> known;
  for (const auto& text : texts) {
    std::size_t at = 0;
    while (at < text.size()) {
      const auto end = std::min(text.find('\n', at), text.size());
      std::string line = text.substr(at, end - at);
      at = end + 1;
      const auto space = line.rfind(' ');
      const bool series = !line.empty() && line.front() != '#' && space != std::string::npos;
      const double value = series ? std::strtod(line.c_str() + space, nullptr) : 0;
      if (series) line.resize(space);
      const auto [found, fresh] = known.try_emplace(line, lines.size());
      if (fresh) lines.push_back({line, value, series});
      else if (series) {
        auto& sum = lines[found->second].value;
        sum = is_state(line) ? std::max(sum, value) : sum + value;
      }
    }
  }
  // A series that only a later text has stands behind its metric's others: group by where the metric's name was first seen.
  std::unordered_map<std::string_view, std::size_t> rank;
  const auto metric_of = [](const Line& line) {
    std::string_view t = line.text;
    if (!line.series) t = t.substr(std::min(t.size(), std::size_t{7})), t = t.substr(0, t.find(' '));   // "# HELP name ..."
    t = t.substr(0, t.find('{'));
    for (std::string_view suffix : {"_bucket", "_count", "_sum"})
      if (line.series && t.ends_with(suffix)) return t.substr(0, t.size() - suffix.size());
    return t;
  };
  for (std::size_t i = 0; i < lines.size(); ++i) rank.try_emplace(metric_of(lines[i]), i);
  std::stable_sort(lines.begin(), lines.end(), [&](const Line& a, const Line& b) { return rank.at(metric_of(a)) < rank.at(metric_of(b)); });
  std::string merged;
  for (const auto& line : lines) merged += line.text + (line.series ? " " + number(line.value) : "") + "\n";
  return merged;
}

}  // namespace nlb::metrics
