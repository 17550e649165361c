// Demand per version: each version is sized on its own arrivals, and during a rollout by what it may have to carry next.
#pragma once

#include <cstdint>

namespace nlb::scale {

inline constexpr double whole_weight = 10000;   // weights are 1/10000

// The rate a version must be ready for: its own measured rate, or its share of the service's at the weight that it may get next
// (deploy's next step for a canary; 10000 for the version that a rollback returns to), whichever is more.
constexpr double demand_of(double own_rate, double service_rate, std::uint32_t next_weight) {
  const double share = service_rate * next_weight / whole_weight;
  return own_rate > share ? own_rate : share;
}

}  // namespace nlb::scale
