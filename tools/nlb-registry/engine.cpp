#include "tools/nlb-registry/engine.hpp"

#include <algorithm>

#include "libnlb/bus/codec_topic.hpp"
#include "libnlb/bus/records.hpp"
#include "libnlb/core/hash.hpp"
#include "libnlb/core/rng.hpp"
#include "libnlb/daemon/log.hpp"
#include "libnlb/rpc/status.hpp"

namespace nlb::registrar {

using registry::Notice;

namespace {

MonoTime now() { return std::chrono::steady_clock::now(); }

check::Hooks hooks_of(rpc::ModulePool& pool, std::function<void(const std::string&, registry::CheckAnswer)> answer) {
  return {std::move(answer), [&pool](const std::string& module, const registry::HealthSpec& spec, std::function<void(registry::CheckAnswer)> told) {
            pool.check(module, spec.target, spec.timeout, std::move(told));
          }};
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

registry::Limits limits_of(const config::Registry& config) {
  registry::Limits limits;
  limits.modules_per_protocol_max = config.modules_per_protocol_max;
  limits.modules_per_caller_max = config.modules_per_caller_max;
  limits.modules_max = config.modules_max;
  limits.connections_per_module_max = config.connections_per_module_max;
  limits.lease_default = config.lease;
  limits.allow_addresses = config.allow_addresses;
  return limits;
}

Engine::Engine(daemon::ControlLoop& loop, const config::Config& config, Keeper& keeper, std::uint64_t seed)
    : loop_(loop), keeper_(keeper), limits_(limits_of(config.registry)), check_defaults_(config.health), seed_(seed), started_(now()),
      told_alive_(now()), members_(std::make_unique<registry::Membership>(limits_, seed, now())),
      checker_(loop.native(), hooks_of(pool_, [this](const std::string& id, const registry::CheckAnswer& answer) { checked(id, answer); }), mix64(seed)) {
  timer_ = loop_.every(tick_interval, [this] { tick(); });
}

// ---- who leads

void Engine::lead(std::uint64_t epoch, std::vector<registry::Stored> known) {
  ++term_;
  epoch_ = epoch;
  leading_ = true;
  leader_.clear();
  members_ = std::make_unique<registry::Membership>(limits_, splitmix64(seed_), now());
  for (auto& stored : known) members_->restore(std::move(stored), now());
  daemon::log::info("leading", {{"epoch", epoch}, {"modules", members_->size()}});
  for (const auto& module : members_->list()) {
    begin({Notice::Kind::added, module, "restored", 0});
    publish_module(module->key());
    publish_health(module->key());
  }
  settle(nullptr);
}

void Engine::step_down(std::string leader) {
  leader_ = std::move(leader);
  if (!leading_) return;
  ++term_;
  leading_ = false;
  daemon::log::warning("another registry leads now", {{"leader", leader_}});
  checker_.forget_all();
  for (const auto& module : members_->list()) pool_.remove(registry::module_id(module->key()));
  members_ = std::make_unique<registry::Membership>(limits_, splitmix64(seed_), now());
  draining_.clear();
  for (const auto& watcher : watchers_) watcher->end({grpc::UNAVAILABLE, "this registry no longer leads: open the stream at the one that does"});
  watchers_.clear();
}

void Engine::stop() {
  for (const auto& watcher : watchers_) watcher->end({grpc::UNAVAILABLE, "the registry is ending: open the stream again"});
  watchers_.clear();
}

void Engine::reload(const config::Config& config) {
  limits_ = limits_of(config.registry);
  check_defaults_ = config.health;
  members_->set_limits(limits_);
}

bool Engine::refuse_follower(const rpc::Done& done) const {
  if (leading_) return false;
  done({grpc::UNAVAILABLE, leader_.empty() ? "no registry leads yet: try again in a second" : "this registry doesn't lead: ask " + leader_});
  return true;
}

bool Engine::refuse_stranger(const registry::Caller& caller, const std::string& id, const rpc::Done& done) const {
  const auto service = id.substr(0, id.find('/'));
  if (rpc::may_speak_for(caller, service)) return false;
  done({grpc::PERMISSION_DENIED, "service " + service.substr(0, 128) + " is not " + caller.name + "'s: its certificate doesn't name it: use one with that name"});
  return true;
}

// ---- calls

template <class Request, class Reply>
rpc::Handler<Request, Reply> Engine::on_loop(void (Engine::*work)(const registry::Caller&, const Request&, Reply&, rpc::Done)) {
  return [this, work](const registry::Caller& caller, const Request& request, Reply& reply, rpc::Done done) {
    loop_.post([this, work, caller, &request, &reply, done = std::move(done)]() mutable {
      if (!refuse_follower(done)) (this->*work)(caller, request, reply, std::move(done));
    });
  };
}

rpc::RegistryHandlers Engine::handlers() {
  return {on_loop(&Engine::on_register), on_loop(&Engine::on_heartbeat), on_loop(&Engine::on_health), on_loop(&Engine::on_unregister),
          on_loop(&Engine::on_drain),    on_loop(&Engine::on_stats),     on_loop(&Engine::on_list),
          [this](std::shared_ptr<rpc::Watcher> watcher) { loop_.post([this, watcher = std::move(watcher)] { on_watch(watcher); }); }};
}

namespace {

std::uint32_t ms32(Duration d) { return static_cast<std::uint32_t>(std::clamp<std::int64_t>(d / 1ms, 0, 0xffffffff)); }

v1::ModuleState to_proto(const registry::ModuleState& state) {
  v1::ModuleState out;
  out.set_phase(static_cast<v1::Phase>(state.phase));
  out.set_health(static_cast<v1::Health>(state.health));
  out.set_reason(state.reason);
  return out;
}

// What the record leaves open is as the configuration says.
v1::Module with_defaults(v1::Module module, const config::HealthCheck& defaults) {
  const bool named = module.has_check();
  auto& check = *module.mutable_check();
  if (!named) {
    constexpr std::array kinds = {v1::CHECK_KIND_TCP, v1::CHECK_KIND_GRPC, v1::CHECK_KIND_PROTOCOL, v1::CHECK_KIND_NONE};
    const auto kind = kinds[static_cast<std::size_t>(defaults.check)];
    check.set_kind(kind == v1::CHECK_KIND_GRPC && module.control_address().empty() ? v1::CHECK_KIND_PROTOCOL : kind);
  }
  if (check.interval_ms() == 0) check.set_interval_ms(std::max(100u, ms32(defaults.interval)));
  if (check.timeout_ms() == 0) check.set_timeout_ms(std::min(check.interval_ms(), std::max(10u, ms32(defaults.timeout))));
  if (check.rise() == 0) check.set_rise(std::min(100u, defaults.rise));
  if (check.fall() == 0) check.set_fall(std::min(100u, defaults.fall));
  if (check.jitter_percent() == 0) check.set_jitter_percent(static_cast<std::uint32_t>(std::min(0.5, defaults.jitter) * 100));
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

v1::Load to_proto(const registry::Load& load) {
  v1::Load out;
  if (load.cpu_percent) out.set_cpu_percent(*load.cpu_percent);
  if (load.memory_percent) out.set_memory_percent(*load.memory_percent);
  if (load.requests_per_second) out.set_requests_per_second(*load.requests_per_second);
  if (load.errors_per_second) out.set_errors_per_second(*load.errors_per_second);
  if (load.connections) out.set_connections(*load.connections);
  return out;
}

}  // namespace

void Engine::on_register(const registry::Caller& caller, const v1::RegisterModuleRequest& request, v1::RegisterModuleReply& reply, rpc::Done done) {
  auto module = bus::from_proto(with_defaults(request.module(), check_defaults_));
  if (!module) return done(rpc::to_status(module.error()));
  const auto added = members_->add(std::move(*module), caller, now());
  if (!added) return done(rpc::to_status(added.error()));
  const auto& record = *added->module;
  reply.set_module_id(registry::module_id(record.key()));
  reply.set_lease_id(added->lease_id);
  reply.set_incarnation(record.incarnation);
  reply.set_lease_ms(ms32(record.lease));
  reply.set_heartbeat_interval_ms(ms32(record.lease / 3));
  reply.set_created(added->created);
  reply.set_epoch(epoch_);
  reply.set_registry_version(NLB_VERSION);
  auto& limits = *reply.mutable_limits();
  limits.set_max_connections(record.max_connections);
  limits.set_modules_per_protocol_max(limits_.modules_per_protocol_max);
  limits.set_modules_per_caller_max(limits_.modules_per_caller_max);
  limits.set_message_bytes_max(rpc::message_bytes_max);
  limits.set_keepalive_interval_min_ms(rpc::server_min_ping_ms);
  settle(std::move(done));
}

void Engine::on_heartbeat(const registry::Caller& caller, const v1::HeartbeatRequest& request, v1::HeartbeatReply& reply, rpc::Done done) {
  if (refuse_stranger(caller, request.module_id(), done)) return;
  const auto beat = members_->heartbeat(request.module_id(), request.lease_id(), load_of(request), now());
  if (!beat) return done(rpc::to_status(beat.error()));
  reply.set_lease_ms(ms32(beat->lease));
  reply.set_heartbeat_interval_ms(ms32(beat->lease / 3));
  reply.set_wish(static_cast<v1::Wish>(beat->wish));
  reply.set_reason(beat->reason);
  if (beat->drain_remaining) reply.set_drain_remaining_ms(std::max(1u, ms32(*beat->drain_remaining)));
  *reply.mutable_state() = to_proto(beat->state);
  reply.set_epoch(epoch_);
  settle(nullptr);
  done(grpc::Status::OK);      // the lease isn't kept in the store: there is nothing to wait for
}

void Engine::on_health(const registry::Caller& caller, const v1::UpdateHealthRequest& request, v1::UpdateHealthReply& reply, rpc::Done done) {
  if (refuse_stranger(caller, request.module_id(), done)) return;
  if (request.health() < v1::HEALTH_UNKNOWN || request.health() > v1::HEALTH_UNHEALTHY)
    return done({grpc::INVALID_ARGUMENT, "health " + std::to_string(request.health()) + " is not known: healthy, degraded or unhealthy; unknown withdraws the opinion"});
  const auto state = members_->report(request.module_id(), request.lease_id(), static_cast<registry::Health>(request.health()), request.reason());
  if (!state) return done(rpc::to_status(state.error()));
  *reply.mutable_state() = to_proto(*state);
  settle(std::move(done));
}

void Engine::on_unregister(const registry::Caller& caller, const v1::UnregisterModuleRequest& request, v1::UnregisterModuleReply& reply, rpc::Done done) {
  if (refuse_stranger(caller, request.module_id(), done)) return;
  const auto timeout = request.drain_timeout_ms() == 0 ? 30s : Duration(std::chrono::milliseconds(request.drain_timeout_ms()));
  const auto sessions = sessions_.of(request.module_id());
  const auto state = members_->remove(request.module_id(), request.lease_id(), request.drain() ? std::optional<Duration>(timeout) : std::nullopt,
                                      request.reason(), now());
  if (!state) return done(rpc::to_status(state.error()));
  reply.set_draining(request.drain());
  reply.set_sessions_remaining(sessions);
  settle(std::move(done));
}

void Engine::on_drain(const registry::Caller& caller, const v1::DrainModuleRequest& request, v1::DrainModuleReply& reply, rpc::Done done) {
  if (refuse_stranger(caller, request.module_id(), done)) return;
  const auto state = members_->set_drain(request.module_id(), !request.cancel(), request.reason());
  if (!state) return done(rpc::to_status(state.error()));
  *reply.mutable_state() = to_proto(*state);
  reply.set_sessions_remaining(sessions_.of(request.module_id()));
  settle(std::move(done));
}

void Engine::on_list(const registry::Caller&, const v1::ListModulesRequest& request, v1::ListModulesReply& reply, rpc::Done done) {
  if (request.page_size() > 10000) return done({grpc::INVALID_ARGUMENT, "page_size " + std::to_string(request.page_size()) + " is too large: at most 10000"});
  const auto protocol = bus::from_proto(request.protocol());
  const auto after = registry::parse_module_id(request.page_token());
  if (!after && !request.page_token().empty()) return done({grpc::INVALID_ARGUMENT, "page_token is none of ours: send next_page_token as it was, or nothing"});
  for (const auto& module : members_->list()) {
    if (after && !(*after < module->key())) continue;
    if (!request.service().empty() && module->service != request.service()) continue;
    if (protocol != Protocol::unknown && module->protocol != protocol) continue;
    if (!request.version().empty() && module->version != request.version()) continue;
    if (request.routable_only() && !registry::is_routable(*module)) continue;
    if (request.page_size() != 0 && static_cast<std::uint32_t>(reply.modules_size()) == request.page_size()) {
      const auto& last = reply.modules(reply.modules_size() - 1);
      reply.set_next_page_token(last.service() + "/" + last.name());
      break;
    }
    *reply.add_modules() = bus::to_proto(*module);
  }
  reply.set_epoch(epoch_);
  reply.set_revision(members_->revision());
  done(grpc::Status::OK);
}

namespace {

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

}  // namespace

void Engine::on_stats(const registry::Caller&, const v1::GetStatsRequest& request, v1::GetStatsReply& reply, rpc::Done done) {
  std::map<std::string, v1::ServiceStats> services;
  for_each_sorted(*members_, [&](const registry::MemberView& view) {
    const auto& module = *view.module;
    if (!request.service().empty() && module.service != request.service()) return;
    auto& stats = services[module.service];
    stats.set_service(module.service);
    stats.set_protocol(bus::to_proto(module.protocol));
    count_in(stats, module, view.load);
    if (!request.with_modules()) return;
    const auto id = registry::module_id(module.key());
    auto& one = *reply.add_module_stats();
    one.set_module_id(id);
    *one.mutable_load() = to_proto(view.load);
    one.set_load_age_ms(view.load_at == MonoTime{} ? 0 : ms32(now() - view.load_at));
    one.set_lease_remaining_ms(ms32(view.lease_end - now()));
    one.set_heartbeats_total(view.heartbeats);
    one.set_sessions(sessions_.of(id));
    *one.mutable_check() = bus::to_proto(module.key(), view.health, module.check.kind);
  });
  for (auto& [name, stats] : services) *reply.add_services() = std::move(stats);
  const auto& counters = members_->counters();
  reply.set_epoch(epoch_);
  reply.set_uptime_ms(static_cast<std::uint64_t>((now() - started_) / 1ms));
  reply.set_modules(static_cast<std::uint32_t>(members_->size()));
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
  done(grpc::Status::OK);
}

// ---- watchers

namespace {

std::shared_ptr<v1::ModuleChange> change_of(v1::ModuleChange::Kind kind, std::uint64_t epoch, std::uint64_t revision) {
  auto change = std::make_shared<v1::ModuleChange>();
  change->set_kind(kind);
  change->set_epoch(epoch);
  change->set_revision(revision);
  return change;
}

}  // namespace

void Engine::on_watch(std::shared_ptr<rpc::Watcher> watcher) {
  if (refuse_follower([&](grpc::Status status) { watcher->end(std::move(status)); })) return;
  const auto& request = watcher->request();
  if (!request.changes_only()) {
    const auto all = members_->list();
    watcher->allow(all.size() + 1);
    for (const auto& module : all) {
      if (!request.service().empty() && module->service != request.service()) continue;
      auto change = change_of(v1::ModuleChange::KIND_CURRENT, epoch_, members_->revision());
      *change->mutable_module() = bus::to_proto(*module);
      watcher->push(std::move(change));
    }
    watcher->push(change_of(v1::ModuleChange::KIND_SYNCED, epoch_, members_->revision()));
  }
  watcher->told = 1;
  watchers_.push_back(std::move(watcher));
}

void Engine::tell_watchers(const Notice& notice) {
  if (watchers_.empty()) return;
  constexpr std::array kinds = {v1::ModuleChange::KIND_ADDED, v1::ModuleChange::KIND_CHANGED, v1::ModuleChange::KIND_REMOVED};
  auto change = change_of(kinds[static_cast<std::size_t>(notice.kind)], epoch_, notice.revision);
  *change->mutable_module() = bus::to_proto(*notice.module);
  change->set_reason(notice.reason);
  for (const auto& watcher : watchers_) {
    const auto& service = watcher->request().service();
    if (!service.empty() && service != notice.module->service) continue;
    watcher->push(change);
    ++watcher->told;
  }
}

// ---- what follows from the membership's decisions

void Engine::tick() {
  if (!leading_) return;
  members_->tick(now());
  for (auto at = draining_.begin(); at != draining_.end();) {
    const auto next = std::next(at);      // the module may leave the map with its removal
    if (now() - at->second >= sessions_settle && sessions_.ended(at->first, at->second + sessions_settle / 2)) members_->sessions_ended(at->first);
    at = next;
  }
  settle(nullptr);
  if (now() - told_alive_ < alive_interval) return;
  told_alive_ = now();
  std::erase_if(watchers_, [](const auto& watcher) { return watcher->over(); });
  for (const auto& watcher : watchers_)
    if (std::exchange(watcher->told, 0) == 0) watcher->push(change_of(v1::ModuleChange::KIND_ALIVE, epoch_, members_->revision()));
}

void Engine::checked(const std::string& id, const registry::CheckAnswer& answer) {
  const auto member = members_->find(id);
  if (!leading_ || !member) return;
  const auto key = member->module->key();
  auto& counted = by_protocol_[static_cast<std::size_t>(member->module->protocol)];
  ++(answer.good ? counted.checks_good : counted.checks_bad);
  counted.check_duration.record(answer.took);
  const auto before = member->health.checked;
  if (!answer.good) pool_.note_error(id, answer.error);
  (void)members_->checked(id, answer);
  settle(nullptr);
  const auto after = members_->find(id);
  if (after && (!answer.good || after->health.checked != before)) publish_health(key);
}

void Engine::settle(rpc::Done done) {
  const auto notices = members_->take_notices();
  for (std::size_t i = 0; i < notices.size(); ++i) {
    begin(notices[i]);
    keep(notices[i], i + 1 == notices.size() ? std::exchange(done, nullptr) : nullptr);
  }
  if (done) done(grpc::Status::OK);
}

void Engine::begin(const Notice& notice) {
  const auto& module = *notice.module;
  const auto id = registry::module_id(module.key());
  if (notice.kind == Notice::Kind::removed) {
    checker_.forget(id);
    pool_.remove(id);
    draining_.erase(id);
    if (notice.reason.starts_with("lease ended")) ++by_protocol_[static_cast<std::size_t>(module.protocol)].expired;
    return;
  }
  if (module.state.phase == registry::Phase::draining) draining_.try_emplace(id, now());
  else draining_.erase(id);
  module.control ? pool_.add(id, *module.control) : pool_.remove(id);
  checker_.watch(module);
}

void Engine::keep(const Notice& notice, rpc::Done done) {
  const auto told = [this, notice, term = term_, done = std::move(done)](const Result<>& result) {
    loop_.post([this, notice, term, done, result] {
      if (term != term_) {
        if (done) done({grpc::UNAVAILABLE, "another registry leads now: ask it"});
        return;
      }
      kept(notice, result);
      if (!done) return;
      if (!result && result.error().kind == ErrorKind::conflict) done({grpc::UNAVAILABLE, "another registry leads now: ask it"});
      else done(grpc::Status::OK);
    });
  };
  const auto member = members_->find(registry::module_id(notice.module->key()));
  if (notice.kind == Notice::Kind::removed || !member) keeper_.remove(notice.module->key(), told);
  else keeper_.put({*notice.module, member->lease_id, member->caller, member->operator_drain}, told);
}

void Engine::kept(const Notice& notice, const Result<>& result) {
  if (!result && result.error().kind == ErrorKind::conflict) return;      // the election will say who leads
  const auto& module = *notice.module;
  daemon::log::info(notice.kind == Notice::Kind::added     ? "module added"
                    : notice.kind == Notice::Kind::removed ? "module removed"
                                                           : "module changed",
                    {{"module", registry::module_id(module.key())}, {"address", to_string(module.data)}, {"phase", to_string(module.state.phase)},
                     {"health", to_string(module.state.health)}, {"reason", notice.reason}});
  publish_module(module.key());
  publish_health(module.key());
  tell_watchers(notice);
}

// The newest record, whichever notice asked for it: what is published never goes back.
void Engine::publish_module(const registry::ModuleKey& key) {
  if (!publish_) return;
  const auto member = members_->find(registry::module_id(key));
  publish_(bus::make_topic("modules", {key.service, key.name}), member ? bus::to_proto(*member->module).SerializeAsString() : std::string());
}

void Engine::publish_health(const registry::ModuleKey& key) {
  if (!publish_) return;
  const auto member = members_->find(registry::module_id(key));
  publish_(bus::make_topic("health", {key.service, key.name}),
           member ? bus::to_proto(key, member->health, member->module->check.kind).SerializeAsString() : std::string());
}

void Engine::heard(const bus::PeerChange& change) {
  for (const auto& one : change.changes) {
    if (bus::class_of(one.topic) != "traffic") continue;
    if (one.kind == bus::Change::Kind::gone || !one.payload) sessions_.forget(one.topic);
    else sessions_.report(one.topic, *one.payload, now());
  }
}

}  // namespace nlb::registrar
