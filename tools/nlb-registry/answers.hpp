// What a call says, as the membership's values, and what the membership knows, as the API's messages. It decides nothing and changes
// nothing: the engine asks the membership, this writes the reply. Thread rule: the loop's.
#pragma once

#include <functional>
#include <optional>

#include "libnlb/config/config.hpp"
#include "libnlb/registry/membership.hpp"
#include "nlb/v1/bus.pb.h"
#include "nlb/v1/registry.grpc.pb.h"
#include "tools/nlb-registry/sessions.hpp"

namespace nlb::registrar {

void for_each_sorted(const registry::Membership& members, const std::function<void(const registry::MemberView&)>& visit);   // by service, then name

// What the record leaves open is as the configuration says.
v1::Module with_defaults(v1::Module module, const config::HealthCheck& defaults);
std::optional<registry::Load> load_of(const v1::HeartbeatRequest& request);
v1::ModuleLoad news_of(const registry::MemberView& member, Duration next);   // its load, for the bus; next: until the next heartbeat
v1::ModuleState to_proto(const registry::ModuleState& state);

void fill(v1::RegisterModuleReply& reply, const registry::Registered& added, const registry::Limits& limits);
void fill(v1::HeartbeatReply& reply, const registry::BeatReply& beat);
// INVALID_ARGUMENT: a page_size or page_token that can't be.
grpc::Status fill(v1::ListModulesReply& reply, const registry::Membership& members, const v1::ListModulesRequest& request);
void fill(v1::GetStatsReply& reply, const registry::Membership& members, const Sessions& sessions, const v1::GetStatsRequest& request, MonoTime now);

}  // namespace nlb::registrar
