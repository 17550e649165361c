// What the data plane shows of itself: Prometheus text, JSON status, and advice on the machine's settings. Reads counters relaxed;
// belongs to the control thread.
#pragma once

#include <string>

#include "libnlb/relay/forwarder.hpp"

namespace nlb::relay {

std::string metrics_text(Forwarder& forwarder, const daemon::AccessLog* access_log);
std::string status_json(Forwarder& forwarder);

// What limits how many sessions this machine can hold, and what to change: a line each.
std::string system_advice(const config::Config& config);

}  // namespace nlb::relay
