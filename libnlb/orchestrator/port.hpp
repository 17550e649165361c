// Ports for instances on this machine.
#pragma once

#include <cstdint>

#include "libnlb/core/result.hpp"

namespace nlb::orchestrator {

// A TCP port that is free on 127.0.0.1 now; `wished` when it is free, 0: any. Somebody else may take it before the instance does: the
// instance then ends and is started again with another.
Result<std::uint16_t> free_port(std::uint16_t wished = 0);
bool accepts(std::uint16_t port);   // 127.0.0.1:port takes connections; waits 100 ms at most

}  // namespace nlb::orchestrator
