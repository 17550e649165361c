// From the `bus` section of a configuration to the options of a process's bus: the same for every daemon and for nlb-inspect.
#pragma once

#include <string_view>

#include "libnlb/bus/bus.hpp"
#include "libnlb/config/config.hpp"
#include "libnlb/config/expand.hpp"

namespace nlb::bus {

// `role` says what is read (codec_topic.hpp), whose well-known endpoints are followed where bus.subscribe names nobody, and how the
// process is called: "<role>/<bus.name>". Each of --processes publishes at an endpoint of its own. The caller adds what it owns. Errors: config (an entry of
// bus.subscribe; no port left).
Result<Options> wire(const config::Config& config, const config::Places& places, std::string_view role);

// "<role>/<name>"; the name is bus.name, or this machine's and the tool's; each of --processes has its own.
std::string name_of(const config::Config& config, const config::Places& places, std::string_view role);

}  // namespace nlb::bus
