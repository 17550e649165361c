#include "libnlb/registry/load.hpp"

#include <algorithm>
#include <cmath>

namespace nlb::registry {
namespace {

// A figure that can't be is not known, whatever else the heartbeat says: a lost lease would be the worse answer to a broken probe.
std::optional<double> possible(std::optional<double> value) {
  return value && std::isfinite(*value) && *value >= 0 ? value : std::nullopt;
}

// A busy module's own measurement may come out a little above 100, and must not be missing just then.
std::optional<double> percent(std::optional<double> value) {
  value = possible(value);
  return value ? std::optional(std::min(*value, 100.0)) : value;
}

}  // namespace

Load possible(const Load& load) {
  return {percent(load.cpu_percent), percent(load.memory_percent), possible(load.requests_per_second), possible(load.errors_per_second), load.connections};
}

}  // namespace nlb::registry
