#include "libnlb/route/table.hpp"

#include <algorithm>
#include <array>
#include <set>

#include "libnlb/core/sticky.hpp"
#include "libnlb/route/matcher.hpp"
#include "libnlb/route/pool.hpp"
#include "libnlb/route/service_pools.hpp"

namespace nlb::route {

struct Table::Parts {
  std::vector<Service> services;
  std::vector<ServicePools> pools;                       // beside services
  std::map<std::string, std::uint32_t, std::less<>> index;
  Matcher matcher;
  std::array<RouteAnswer, protocol_count> by_protocol;   // when no rule matches
  bool tls_has_service = false;
  std::vector<RouteRule> rules;
  std::vector<std::string> warnings;
  std::uint64_t generation = 0;

  std::uint32_t service(const std::string& name, const TableInput& input, Roster& roster);
  void add_modules(const TableInput& input, Roster& roster, MonoTime now);
  void add_module(const registry::Module& module, std::uint32_t at, Roster& roster, MonoTime now, bool first_table);
  void add_pools(const TableInput& input);
  void add_defaults(const TableInput& input);
  std::int64_t default_service(Protocol protocol) const;
};

Table::Table(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Table::~Table() = default;

Result<std::shared_ptr<const Table>> Table::build(TableInput input, Roster& roster, MonoTime now) {
  for (std::size_t i = 0; i < input.routes.size(); ++i)
    if (input.routes[i].service.empty())
      return fail(ErrorKind::config, "route " + std::to_string(i + 1) + " names no service: add `service: NAME`");
  auto parts = std::make_unique<Parts>();
  parts->generation = input.generation;
  for (const auto& module : input.modules) parts->service(module.service, input, roster);
  for (const auto& [name, options] : input.services) parts->service(name, input, roster);
  for (const auto& rule : input.routes) parts->service(rule.service, input, roster);
  if (!input.fallback.empty()) parts->service(input.fallback, input, roster);
  parts->add_modules(input, roster, now);
  parts->add_pools(input);
  parts->matcher = Matcher(input.routes, input.listeners, [&](const std::string& name) { return parts->index.find(name)->second; });
  parts->rules = std::move(input.routes);
  parts->add_defaults(input);
  return std::shared_ptr<const Table>(new Table(std::move(parts)));
}

std::uint32_t Table::Parts::service(const std::string& name, const TableInput& input, Roster& roster) {
  const auto [at, added] = index.try_emplace(name, static_cast<std::uint32_t>(services.size()));
  if (!added) return at->second;
  Service service;
  service.name = name;
  service.hash = name_hash(name);
  if (const auto options = input.services.find(name); options != input.services.end()) service.options = options->second;
  service.state = roster.service(name);
  services.push_back(std::move(service));
  return at->second;
}

void Table::Parts::add_modules(const TableInput& input, Roster& roster, MonoTime now) {
  const bool first_table = roster.empty();
  pools.resize(services.size());
  for (const auto& module : input.modules) {
    const auto at = index.find(module.service)->second;
    Service& to = services[at];
    if (to.protocol == Protocol::unknown) to.protocol = module.protocol;
    if (to.protocol != module.protocol)
      warnings.push_back("module '" + module.name + "' is left out: it speaks " + std::string(to_string(module.protocol)) +
                         " and its service '" + to.name + "' speaks " + std::string(to_string(to.protocol)) + ": give it a service of its own");
    else
      add_module(module, at, roster, now, first_table);
  }
  std::vector<std::shared_ptr<ModuleState>> present;
  for (const auto& service : services) present.insert(present.end(), service.modules.begin(), service.modules.end());
  roster.keep_only(present, now);
}

void Table::Parts::add_module(const registry::Module& module, std::uint32_t at, Roster& roster, MonoTime now, bool first_table) {
  Service& to = services[at];
  auto state = roster.module({module.service, module.name, module.version, module.colour, module.zone, module.protocol, module.data,
                              module.send_proxy, module.incarnation}, now);
  if (std::find(to.modules.begin(), to.modules.end(), state) != to.modules.end()) {
    warnings.push_back("module '" + module.name + "' of service '" + to.name + "' is listed twice: the second one is left out");
    return;
  }
  const bool routable = registry::is_routable(module), draining = module.state.phase == registry::Phase::draining;
  if (routable && !(state->seen_usable && state->usable.load(std::memory_order_relaxed))) {
    state->since = now;             // new, or back from a bad time: it warms up (again)
    state->ramped = state->seen_usable || !first_table;   // after a start everything is new, and nothing should be held back
    state->seen_usable = true;
  }
  state->max_connections.store(module.max_connections, std::memory_order_relaxed);
  const auto health = static_cast<std::uint8_t>(module.state.health);
  if (state->health.exchange(health, std::memory_order_relaxed) != health || state->health_since == MonoTime{}) state->health_since = now;
  state->reason = module.state.reason;
  state->usable.store(routable, std::memory_order_relaxed);
  state->leaving.store(draining, std::memory_order_relaxed);
  pools[at].add({state.get(), module.weight, module.version, module.priority, module.backup,
                 !to.options.zone_preferred.empty() && module.zone != to.options.zone_preferred, routable, draining});
  to.modules.push_back(std::move(state));
}

void Table::Parts::add_pools(const TableInput& input) {
  for (const Split& split : input.splits) {
    const auto at = index.find(split.service);
    if (at == index.end()) continue;   // news of a service that has no modules here
    if (auto refused = pools[at->second].set_split(split); !refused) warnings.push_back(refused.error().text);
    else services[at->second].split_generation = split.generation;
    for (const auto& module : services[at->second].modules) module->watch_halves();
  }
  for (std::size_t i = 0; i < services.size(); ++i) pools[i].finish(services[i].options);
}

// The service called like the protocol; else the only one that speaks it and that no rule sends to.
std::int64_t Table::Parts::default_service(Protocol protocol) const {
  if (const auto named = index.find(to_string(protocol)); named != index.end()) return named->second;
  std::int64_t only = -1;
  for (std::size_t i = 0; i < services.size(); ++i) {
    const auto is_target = [&](const RouteRule& r) { return r.service == services[i].name; };
    if (services[i].protocol != protocol || services[i].modules.empty() || std::any_of(rules.begin(), rules.end(), is_target)) continue;
    if (only >= 0) return -1;
    only = static_cast<std::int64_t>(i);
  }
  return only;
}

void Table::Parts::add_defaults(const TableInput& input) {
  for (std::size_t p = 0; p < protocol_count; ++p) {
    const auto protocol = static_cast<Protocol>(p);
    if (protocol == Protocol::unknown) continue;
    if (const auto at = default_service(protocol); at >= 0)
      by_protocol[p] = {RouteAnswer::Kind::service, static_cast<std::uint32_t>(at), -1};
  }
  constexpr auto tls = static_cast<std::size_t>(Protocol::tls), http = static_cast<std::size_t>(Protocol::http);
  tls_has_service = by_protocol[tls].kind == RouteAnswer::Kind::service;
  if (!tls_has_service) by_protocol[tls] = by_protocol[http];
  if (!input.fallback.empty())
    by_protocol[static_cast<std::size_t>(Protocol::unknown)] = {RouteAnswer::Kind::service, index.find(input.fallback)->second, -2};
}

RouteAnswer Table::route(const RouteQuestion& q) const {
  const Parts& parts = *parts_;
  if (!parts.matcher.empty(q.protocol)) {
    const auto answer = parts.matcher.ask(q.protocol, q);
    if (answer.kind != RouteAnswer::Kind::no_route) return answer;
  }
  if (q.protocol == Protocol::tls && !parts.tls_has_service) {
    const auto answer = parts.matcher.ask_as_http(q);
    if (answer.kind != RouteAnswer::Kind::no_route) return answer;
  }
  return parts.by_protocol[static_cast<std::size_t>(q.protocol)];
}

PickResult Table::pick(std::uint32_t at, const PickQuestion& question) const {
  if (at >= parts_->services.size()) return {{}, PickFailure::no_service, {}};
  return parts_->pools[at].pick(parts_->services[at], question);
}

bool Table::wants_details(Protocol protocol) const { return parts_->matcher.wants_details(protocol); }
const std::vector<Service>& Table::services() const { return parts_->services; }
std::uint64_t Table::generation() const { return parts_->generation; }
const std::vector<std::string>& Table::warnings() const { return parts_->warnings; }

const Service* Table::find_service(std::string_view name) const {
  const auto at = parts_->index.find(name);
  return at == parts_->index.end() ? nullptr : &parts_->services[at->second];
}

namespace {

std::string conditions(const RouteRule& rule) {
  std::string text;
  const auto add = [&](std::string_view key, std::string_view value) {
    text += (text.empty() ? " (" : ", ") + std::string(key) + " " + std::string(value);
  };
  if (rule.listener) add("listener", *rule.listener);
  if (rule.protocol) add("protocol", to_string(*rule.protocol));
  if (rule.sni) add("sni", *rule.sni);
  if (rule.alpn) add("alpn", *rule.alpn);
  if (rule.http_host) add("http_host", *rule.http_host);
  if (rule.postgres_database) add("postgres_database", *rule.postgres_database);
  if (rule.postgres_user) add("postgres_user", *rule.postgres_user);
  for (const auto& network : rule.source) add("source", to_string(network));
  return text.empty() ? text : text + ")";
}

}  // namespace

std::string Table::explain(const RouteAnswer& answer) const {
  const auto rule = [&] {
    return "route " + std::to_string(answer.rule + 1) + conditions(parts_->rules[static_cast<std::size_t>(answer.rule)]);
  };
  switch (answer.kind) {
    case RouteAnswer::Kind::no_route: return "no route, and no service for the protocol";
    case RouteAnswer::Kind::need_details: return rule() + " needs more of the first bytes";
    case RouteAnswer::Kind::service: break;
  }
  return (answer.rule >= 0 ? rule() : answer.rule == -2 ? "fallback" : "by protocol") + " -> " + service(answer.service).name;
}

std::string Table::explain(std::uint32_t at, const PickResult& result) const {
  if (at >= parts_->services.size()) return "no such service";
  const Service& of = service(at);
  if (!result) return std::string(to_string(result.failure)) + ": " + std::to_string(of.modules.size()) + " modules of " + of.name;
  const auto& module = result.slot->identity;
  std::string text = std::string(to_string(result.why.picker)) + " of " + of.name + ", version " + module.version;
  if (result.why.split) text += result.why.fell_back ? " (the split's version has no usable module)" : " (split)";
  if (result.why.tier > 0) text += ", tier " + std::to_string(result.why.tier + 1);
  if (result.why.panic) text += ", ejections ignored (too many)";
  return text + ": " + module.name;
}

}  // namespace nlb::route
