// ${runtime}, ${state} and {tool} in the texts of a configuration become the places of this process.
#pragma once

#include <string>

#include "libnlb/config/config.hpp"

namespace nlb::config {

struct Places { std::string runtime, state, tool; };   // tool: "forward", "registry", ...

Config expand(Config config, const Places& places);
std::string expand(std::string text, const Places& places);

}  // namespace nlb::config
