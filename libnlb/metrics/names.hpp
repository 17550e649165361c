// Every metric that the programs export: name, type, labels, unit and help in one table, from which exposition and
// documentation both come. The first twelve keep the names and labels that dashboards know. Label values are in
// lower case; a name ends in its unit, counters in _total (https://prometheus.io/docs/practices/naming/).
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

namespace nlb::metrics {

enum class Type : std::uint8_t { counter, gauge, histogram };
constexpr std::string_view to_string(Type t) { return t == Type::counter ? "counter" : t == Type::gauge ? "gauge" : "histogram"; }

struct Metric {
  std::string_view name;
  Type type = Type::counter;
  std::array<std::string_view, 4> labels{};   // empty ones at the end
  std::string_view unit;
  std::string_view help;
  std::string_view program;                   // who exports it; "all": every daemon

  constexpr std::size_t label_count() const {
    std::size_t n = 0;
    while (n < labels.size() && !labels[n].empty()) ++n;
    return n;
  }
};

#define NLB_METRIC(id, ...) inline constexpr Metric id{__VA_ARGS__};
#include "libnlb/metrics/names.inc"
#undef NLB_METRIC

inline constexpr auto all = std::to_array<const Metric*>({
#define NLB_METRIC(id, ...) &id,
#include "libnlb/metrics/names.inc"
#undef NLB_METRIC
});

constexpr const Metric* find(std::string_view name) {
  const auto at = std::find_if(all.begin(), all.end(), [&](const Metric* m) { return m->name == name; });
  return at == all.end() ? nullptr : *at;
}

}  // namespace nlb::metrics
