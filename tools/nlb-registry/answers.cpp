#include "tools/nlb-registry/answers.hpp"

#include <algorithm>
#include <cmath>

#include "libnlb/bus/records.hpp"
#include "libnlb/rpc/channel.hpp"

namespace nlb::registrar {

namespace {

constexpr std::uint32_t page_size_max = 10000;

std::uint32_t ms32(Duration d) { return static_cast<std::uint32_t>(std::clamp<std::int64_t>(d / 1ms, 0, 0xffffffff)); }

v1::Load to_proto(const registry::Load& load) {
  v1::Load out;
  if (load.cpu_percent) out.set_cpu_percent(*load.cpu_percent);
  if (load.memory_percent) out.set_memory_percent(*load.memory_percent);
  if (load.requests_per_second) out.set_requests_per_second(*load.requests_per_second);
  if (load.errors_per_second) out.set_errors_per_second(*load.errors_per_second);
  if (load.connections) out.set_connections(*load.connections);
  return out;
}

void count_in(v1::ServiceStats& stats, const registry::Module& module, const registry::Load& load) {
  stats.set_modules(stats.modules() + 1);
  if (registry::is_routable(module)) stats.set_routable(stats.routable() + 1);
  switch (module.state.health) {
    case registry::Health::healthy: stats.set_healthy(stats.healthy() + 1); break;
    case registry::Health::degraded: stats.set_degraded(stats.degraded() + 1); break;
    case registry::Health::unhealthy: stats.set_unhealthy(stats.unhealthy() + 1); break;
    case registry::Health::unknown: stats.set_unknown(stats.unknown() + 1); break;
  }
  if (module.state.phase == registry::Phase::suspect) stats.set_suspect(stats.suspect() + 1);
  if (module.state.phase == registry::Phase::draining) stats.set_draining(stats.draining() + 1);
  stats.set_connections(stats.connections() + load.connections.value_or(0));
}

bool wanted(const registry::Module& module, const v1::ListModulesRequest& request, Protocol protocol) {
  if (!request.service().empty() && module.service != request.service()) return false;
  if (protocol != Protocol::unknown && module.protocol != protocol) return false;
  if (!request.version().empty() && module.version != request.version()) return false;
  return !request.routable_only() || registry::is_routable(module);
}

v1::ModuleStats stats_of(const registry::MemberView& view, const Sessions& sessions, MonoTime now) {
  const auto& module = *view.module;
  const auto id = registry::module_id(module.key());
  v1::ModuleStats one;
  one.set_module_id(id);
  *one.mutable_load() = to_proto(view.load);
  one.set_load_age_ms(view.load_at == MonoTime{} ? 0 : ms32(now - view.load_at));
  one.set_lease_remaining_ms(ms32(view.lease_end - now));
  one.set_heartbeats_total(view.heartbeats);
  one.set_sessions(sessions.of(id));
  *one.mutable_check() = bus::to_proto(module.key(), view.health, module.check.kind);
  return one;
}

void fill_totals(v1::GetStatsReply& reply, const registry::Counters& counters) {
  reply.set_registrations_total(counters.registrations);
  reply.set_heartbeats_total(counters.heartbeats);
  reply.set_expirations_total(counters.expirations);
  reply.set_suspicions_total(counters.suspicions);
  std::uint64_t refusals = 0;
  for (std::size_t i = 0; i < counters.refusals.size(); ++i) {
    refusals += counters.refusals[i];
    if (counters.refusals[i] > 0) (*reply.mutable_refusals())[std::string(registry::refusal_names[i])] = counters.refusals[i];
  }
  reply.set_refusals_total(refusals);
}

}  // namespace

void for_each_sorted(const registry::Membership& members, const std::function<void(const registry::MemberView&)>& visit) {
  const auto views = members.views();
  std::vector<const registry::MemberView*> order;
  for (const auto& view : views) order.push_back(&view);
  std::sort(order.begin(), order.end(), [](const auto* a, const auto* b) {
    return std::tie(a->module->service, a->module->name) < std::tie(b->module->service, b->module->name);
  });
  for (const auto* view : order) visit(*view);
}
v1::ModuleState to_proto(const registry::ModuleState& state) {
  v1::ModuleState out;
  out.set_phase(static_cast<v1::Phase>(state.phase));
  out.set_health(static_cast<v1::Health>(state.health));
  out.set_reason(state.reason);
  return out;
}

v1::Module with_defaults(v1::Module module, const config::HealthCheck& defaults) {
  const bool named = module.has_check();
  auto& check = *module.mutable_check();
  if (!named) {
    constexpr std::array kinds = {v1::CHECK_KIND_TCP, v1::CHECK_KIND_GRPC, v1::CHECK_KIND_PROTOCOL, v1::CHECK_KIND_NONE};
    const auto kind = kinds[static_cast<std::size_t>(defaults.check)];
    check.set_kind(kind == v1::CHECK_KIND_GRPC && module.control_address().empty() ? v1::CHECK_KIND_PROTOCOL : kind);
  }
  if (check.interval_ms() == 0) check.set_interval_ms(ms32(defaults.interval));      // nlb.yaml has a registration's ranges
  if (check.timeout_ms() == 0) check.set_timeout_ms(std::min(check.interval_ms(), ms32(defaults.timeout)));
  if (check.rise() == 0) check.set_rise(defaults.rise);
  if (check.fall() == 0) check.set_fall(defaults.fall);
  if (check.jitter_percent() == 0) check.set_jitter_percent(static_cast<std::uint32_t>(std::lround(defaults.jitter * 100)));
  return module;
}

std::optional<registry::Load> load_of(const v1::HeartbeatRequest& request) {
  if (!request.has_load()) return std::nullopt;
  const auto& in = request.load();
  registry::Load load;
  if (in.has_cpu_percent()) load.cpu_percent = in.cpu_percent();
  if (in.has_memory_percent()) load.memory_percent = in.memory_percent();
  if (in.has_requests_per_second()) load.requests_per_second = in.requests_per_second();
  if (in.has_errors_per_second()) load.errors_per_second = in.errors_per_second();
  if (in.has_connections()) load.connections = in.connections();
  return load;
}

v1::ModuleLoad news_of(const registry::MemberView& member, Duration next) {
  const auto& load = member.load;
  v1::ModuleLoad news;
  news.set_service(member.module->service);
  news.set_module(member.module->name);
  news.set_version(member.module->version);
  news.set_heartbeat(member.heartbeats);
  news.set_interval_ms(ms32(next));
  if (load.cpu_percent) news.set_cpu_percent(*load.cpu_percent);
  if (load.memory_percent) news.set_memory_percent(*load.memory_percent);
  if (load.connections) news.set_connections(*load.connections);
  if (load.requests_per_second) news.set_requests_per_second(*load.requests_per_second);
  if (load.errors_per_second) news.set_errors_per_second(*load.errors_per_second);
  return news;
}

void fill(v1::RegisterModuleReply& reply, const registry::Registered& added, const registry::Limits& limits) {
  const auto& record = *added.module;
  reply.set_module_id(registry::module_id(record.key()));
  reply.set_lease_id(added.lease_id);
  reply.set_incarnation(record.incarnation);
  reply.set_lease_ms(ms32(record.lease));
  reply.set_heartbeat_interval_ms(ms32(record.lease / 3));
  reply.set_created(added.created);
  reply.set_registry_version(NLB_VERSION);
  auto& in_force = *reply.mutable_limits();
  in_force.set_max_connections(record.max_connections);
  in_force.set_modules_per_protocol_max(limits.modules_per_protocol_max);
  in_force.set_modules_per_caller_max(limits.modules_per_caller_max);
  in_force.set_message_bytes_max(rpc::message_bytes_max);
  in_force.set_keepalive_interval_min_ms(rpc::server_min_ping_ms);
}

void fill(v1::HeartbeatReply& reply, const registry::BeatReply& beat) {
  reply.set_lease_ms(ms32(beat.lease));
  reply.set_heartbeat_interval_ms(ms32(beat.lease / 3));
  reply.set_wish(static_cast<v1::Wish>(beat.wish));
  reply.set_reason(beat.reason);
  if (beat.drain_remaining) reply.set_drain_remaining_ms(std::max(1u, ms32(*beat.drain_remaining)));
  *reply.mutable_state() = to_proto(beat.state);
}

grpc::Status fill(v1::ListModulesReply& reply, const registry::Membership& members, const v1::ListModulesRequest& request) {
  if (request.page_size() > page_size_max)
    return {grpc::INVALID_ARGUMENT, "page_size " + std::to_string(request.page_size()) + " is too large: at most " + std::to_string(page_size_max)};
  const auto protocol = bus::from_proto(request.protocol());
  const auto after = registry::parse_module_id(request.page_token());
  if (!after && !request.page_token().empty())
    return {grpc::INVALID_ARGUMENT, "page_token is none of ours: send next_page_token as it was, or nothing"};
  for (const auto& module : members.list()) {
    if ((after && !(*after < module->key())) || !wanted(*module, request, protocol)) continue;
    if (request.page_size() != 0 && static_cast<std::uint32_t>(reply.modules_size()) == request.page_size()) {
      const auto& last = reply.modules(reply.modules_size() - 1);
      reply.set_next_page_token(last.service() + "/" + last.name());
      break;
    }
    *reply.add_modules() = bus::to_proto(*module);
  }
  reply.set_revision(members.revision());
  return grpc::Status::OK;
}

void fill(v1::GetStatsReply& reply, const registry::Membership& members, const Sessions& sessions, const v1::GetStatsRequest& request, MonoTime now) {
  std::map<std::string, v1::ServiceStats> services;
  for_each_sorted(members, [&](const registry::MemberView& view) {
    const auto& module = *view.module;
    if (!request.service().empty() && module.service != request.service()) return;
    auto& stats = services[module.service];
    stats.set_service(module.service);
    stats.set_protocol(bus::to_proto(module.protocol));
    count_in(stats, module, view.load);
    if (request.with_modules()) *reply.add_module_stats() = stats_of(view, sessions, now);
  });
  for (auto& [name, stats] : services) *reply.add_services() = std::move(stats);
  reply.set_modules(static_cast<std::uint32_t>(members.size()));
  reply.set_dismissed(static_cast<std::uint32_t>(members.dismissals().size()));
  fill_totals(reply, members.counters());
}

}  // namespace nlb::registrar
