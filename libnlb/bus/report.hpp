// What a process's bus knows and how old that is: for /status and /metrics of every daemon.
#pragma once

#include <string>

#include "libnlb/bus/bus.hpp"
#include "libnlb/metrics/exposition.hpp"

namespace nlb::bus {

std::string status_json(const Status& status);       // an object: what is published, and `peers`, one object an owner that is followed
void add_metrics(metrics::Snapshot& out, const Status& status);

}  // namespace nlb::bus
