// What a process's bus knows and how old that is: for /status and /metrics of every daemon.
#pragma once

#include <string>
#include <string_view>

#include "libnlb/bus/bus.hpp"
#include "libnlb/metrics/exposition.hpp"

namespace nlb::bus {

std::string status_json(const Status& status);       // an object: what is published, and `peers`, one object an owner that is followed
// A process's own status, a JSON object, with what its bus knows as the key `bus`: null while it has none (it doesn't lead).
std::string with_bus(std::string_view status, const Bus* bus);
void add_metrics(metrics::Snapshot& out, const Status& status);

}  // namespace nlb::bus
