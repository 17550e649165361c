#include "libnlb/relay/plan_builder.hpp"

#include <netdb.h>
#include <netinet/in.h>

#include <cstring>

#include "libnlb/relay/socket.hpp"

namespace nlb::relay {
namespace {

std::string service_name(const config::Module& module) {
  return module.service.empty() ? std::string(to_string(module.protocol)) : module.service;
}

registry::SendProxy to_send_proxy(config::SendProxy wanted) {
  switch (wanted) {
    case config::SendProxy::v1: return registry::SendProxy::v1;
    case config::SendProxy::v2: return registry::SendProxy::v2;
    case config::SendProxy::none: break;
  }
  return registry::SendProxy::none;
}

registry::CheckKind to_check_kind(config::CheckKind kind) {
  switch (kind) {
    case config::CheckKind::tcp: return registry::CheckKind::tcp;
    case config::CheckKind::grpc: return registry::CheckKind::grpc;
    case config::CheckKind::protocol: return registry::CheckKind::protocol;
    case config::CheckKind::none: break;
  }
  return registry::CheckKind::none;
}

route::Picker to_picker(config::PickerKind kind) {
  switch (kind) {
    case config::PickerKind::least_conn: return route::Picker::least_conn;
    case config::PickerKind::round_robin: return route::Picker::round_robin;
    case config::PickerKind::random: return route::Picker::random;
    case config::PickerKind::p2c: return route::Picker::p2c;
    case config::PickerKind::hash: return route::Picker::hash;
    case config::PickerKind::latency: return route::Picker::latency;
  }
  return route::Picker::least_conn;
}

}  // namespace

registry::Module to_record(const config::Module& module, const config::HealthCheck& health) {
  registry::Module record;
  record.name = module.name;
  record.service = service_name(module);
  record.protocol = module.protocol;
  record.data = module.address;
  record.control = module.control;
  record.version = module.version;
  record.colour = module.colour;
  record.weight = module.weight;
  record.zone = module.zone;
  record.priority = module.priority;
  record.backup = module.backup;
  record.max_connections = module.max_connections;
  record.send_proxy = to_send_proxy(module.send_proxy);
  record.labels = module.labels;
  record.check = {to_check_kind(module.check), health.interval, health.timeout, health.rise, health.fall, health.jitter, {}};
  record.state.health = registry::Health::healthy;
  return record;
}

route::ServiceOptions to_options(const config::Service& service) {
  route::ServiceOptions options;
  options.picker = to_picker(service.picker);
  options.hash_sni = service.sticky == config::Sticky::sni;
  options.slow_start = service.slow_start;
  options.eject = {service.eject.failures, service.eject.period, service.eject.percent_max};
  options.breaker_pending_max = service.breaker_pending_max;
  options.fallback_versions = service.fallback_versions;
  options.zone_preferred = service.zone_preferred;
  options.connect_timeout = service.connect_timeout;
  options.connect_tries = service.connect_tries;
  options.idle_timeout = service.idle_timeout;
  options.half_close_full = service.half_close == config::HalfClose::full;
  options.drain_timeout = service.drain_timeout;
  options.drain_jitter = service.drain_jitter;
  options.queue = {service.queue.sessions_max, service.queue.timeout};
  return options;
}

route::RouteRule to_rule(const config::Route& route) {
  return {route.listener, route.protocol, route.sni, route.alpn, route.http_host, route.postgres_database, route.postgres_user,
          route.source, route.service};
}

limit::Rule to_rule(const config::Limit& limit) {
  static_assert(static_cast<int>(limit::Per::client) == static_cast<int>(config::LimitPer::client));
  static_assert(static_cast<int>(limit::Action::delay) == static_cast<int>(config::AtLimit::delay));
  limit::Rule rule;
  rule.name = limit.name;
  rule.protocol = limit.protocol;
  rule.service = limit.service;
  rule.per = static_cast<limit::Per>(limit.per);
  rule.rate = limit.rate;
  rule.burst = limit.burst;
  rule.connections = limit.connections;
  rule.bytes_per_second = limit.bytes_per_second;
  rule.table_max = limit.table_max;
  rule.action = static_cast<limit::Action>(limit.action);
  rule.queue = {limit.queue.sessions_max, limit.queue.timeout};
  return rule;
}

limit::Rule share_of(limit::Rule rule, std::size_t processes) {
  const auto parts = static_cast<double>(processes);
  rule.burst = (rule.burst > 0 ? rule.burst : rule.rate) / parts;
  rule.rate /= parts;
  rule.connections = (rule.connections + processes - 1) / processes;
  rule.bytes_per_second = (rule.bytes_per_second + processes - 1) / processes;
  return rule;
}

route::TableInput to_table_input(const config::Config& config) {
  route::TableInput input;
  for (const auto& module : config.modules) input.modules.push_back(to_record(module, config.health));
  for (const auto& [name, service] : config.services) input.services.emplace(name, to_options(service));
  for (const auto& route : config.routes) input.routes.push_back(to_rule(route));
  input.fallback = config.fallback;
  return input;
}

Result<Endpoint> resolve(const Endpoint& endpoint) {
  if (endpoint.kind != Endpoint::Kind::name) return endpoint;
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_ADDRCONFIG;
  addrinfo* found = nullptr;
  if (const int error = getaddrinfo(endpoint.host.c_str(), nullptr, &hints, &found); error != 0)
    return fail(ErrorKind::unavailable, "can't resolve '" + endpoint.host + "': " + gai_strerror(error) + ": check the name, or write the address");
  SocketAddress address;
  std::memcpy(&address.storage, found->ai_addr, found->ai_addrlen);
  address.length = found->ai_addrlen;
  freeaddrinfo(found);
  Endpoint resolved = to_endpoint(address);
  resolved.port = endpoint.port;
  return resolved;
}

}  // namespace nlb::relay
