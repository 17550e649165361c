// What a module says of its load with a heartbeat.
#pragma once

#include <cstdint>
#include <optional>

namespace nlb::registry {

struct Load {                 // absent: not known; percentages are 0 to 100, the rest 0 or more
  std::optional<double> cpu_percent, memory_percent, requests_per_second, errors_per_second;
  std::optional<std::uint32_t> connections;
};

// Without the figures that can't be: negative, infinite or no number means not known, and a percentage above 100 counts as 100.
Load possible(const Load& load);

}  // namespace nlb::registry
