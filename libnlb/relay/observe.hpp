// What the data plane shows of itself: Prometheus text, JSON status, and advice on the machine's settings. Reads counters relaxed;
// belongs to the control thread.
#pragma once

#include <string>

#include "libnlb/metrics/exposition.hpp"
#include "libnlb/relay/forwarder.hpp"

namespace nlb::relay {

void add_metrics(metrics::Snapshot& out, Forwarder& forwarder, const daemon::AccessLog* access_log);
// `bus_json`, `manager_json`: what the tool knows of them, an object or null; `old_generations_json`: a list of the processes that were
// taken over and still drain.
std::string status_json(Forwarder& forwarder, const std::string& bus_json, const std::string& manager_json, const std::string& old_generations_json);

// What limits how many sessions this machine can hold, and what to change: a line each.
std::string system_advice(const config::Config& config);

}  // namespace nlb::relay
