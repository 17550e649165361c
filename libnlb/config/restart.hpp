// What a running daemon can't take up from a changed configuration.
#pragma once

#include <string>
#include <vector>

#include "libnlb/config/config.hpp"

namespace nlb::config {

// The keys whose values differ and hold until the process starts anew: places that it has bound or opened, and what its threads were
// started with. Everything else is a daemon's own business to take up.
std::vector<std::string> keys_for_restart(const Config& running, const Config& fresh);

}  // namespace nlb::config
