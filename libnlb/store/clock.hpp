// The monotonic clock as a parameter. An injected one (tests, simulation) never waits; the real one does.
#pragma once

#include <functional>

#include "libnlb/core/time.hpp"

namespace nlb::store {

using Clock = std::function<MonoTime()>;

inline MonoTime steady_now() { return std::chrono::steady_clock::now(); }

}  // namespace nlb::store
