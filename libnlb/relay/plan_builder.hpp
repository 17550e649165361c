// From the typed configuration, and what the bus adds to it, to what workers use: module records, routing table input, limit rules.
// Conversions only; names are resolved here once, since a worker must never wait for DNS.
#pragma once

#include <string>
#include <vector>

#include "libnlb/config/config.hpp"
#include "libnlb/core/result.hpp"
#include "libnlb/limit/limits.hpp"
#include "libnlb/registry/module.hpp"
#include "libnlb/route/table.hpp"

namespace nlb::relay {

registry::Module to_record(const config::Module& module, const config::HealthCheck& health);
route::ServiceOptions to_options(const config::Service& service);
route::RouteRule to_rule(const config::Route& route);
limit::Rule to_rule(const config::Limit& limit);

// One process's part of a limit that several share evenly.
limit::Rule share_of(limit::Rule rule, std::size_t processes);

// The configuration's part of a table's input; modules of the file count as healthy, until their checks say else.
route::TableInput to_table_input(const config::Config& config);

// Replaces a host name by its first address (getaddrinfo: may block for seconds). unavailable: the name can't be resolved.
Result<Endpoint> resolve(const Endpoint& endpoint);

}  // namespace nlb::relay
