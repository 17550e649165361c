// The clock of everything that isn't pure. Leases, deadlines and intervals count on the monotonic clock alone, so that a step of the wall
// clock moves none of them; pure code takes the time as a parameter.
#pragma once

#include <chrono>
#include <cstdint>

#include "libnlb/core/time.hpp"

namespace nlb::daemon {

inline MonoTime mono_now() { return std::chrono::steady_clock::now(); }

// For numbers that have to grow over restarts and lost disks (epochs, incarnations), never for waiting.
inline std::uint64_t unix_us() {
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch()).count());
}

}  // namespace nlb::daemon
