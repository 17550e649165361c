#include "tools/nlb-registry/engine.hpp"

#include "libnlb/bus/codec_topic.hpp"
#include "libnlb/bus/records.hpp"
#include "libnlb/core/hash.hpp"
#include "libnlb/core/rng.hpp"
#include "libnlb/daemon/clock.hpp"
#include "libnlb/daemon/log.hpp"
#include "libnlb/rpc/status.hpp"
#include "nlb/v1/bus.pb.h"
#include "tools/nlb-registry/answers.hpp"

namespace nlb::registrar {

using daemon::mono_now;

using registry::Notice;

namespace {

check::Hooks hooks_of(rpc::ModulePool& pool, std::function<void(const std::string&, registry::CheckAnswer)> answer) {
  return {std::move(answer), [&pool](const std::string& module, const registry::HealthSpec& spec, std::function<void(registry::CheckAnswer)> told) {
            pool.check(module, spec.target, spec.timeout, std::move(told));
          }};
}

}  // namespace

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
    : loop_(loop), keeper_(keeper), limits_(limits_of(config.registry)), check_defaults_(config.health), seed_(seed), started_(mono_now()),
      members_(std::make_unique<registry::Membership>(limits_, seed, mono_now())),
      checker_(loop.native(), hooks_of(pool_, [this](const std::string& id, const registry::CheckAnswer& answer) { checked(id, answer); }), mix64(seed)),
      watchers_(mono_now()) {
  timer_ = loop_.every(tick_interval, [this] { tick(); });
}

// ---- who leads

void Engine::lead(std::uint64_t epoch, std::vector<registry::Stored> known) {
  ++term_;
  epoch_ = epoch;
  leading_ = true;
  leader_.clear();
  members_ = std::make_unique<registry::Membership>(limits_, splitmix64(seed_), mono_now());
  for (auto& stored : known) members_->restore(std::move(stored), mono_now());
  daemon::log::info("leading", {{"epoch", epoch}, {"modules", members_->size()}});
  for (const auto& module : members_->list()) {
    begin({Notice::Kind::added, module, "restored", 0});
    publish_module(module->key());
    publish_health(module->key());
  }
  for (const auto& [service, listed] : drains_) members_->drain_listed(service, listed);
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
  members_ = std::make_unique<registry::Membership>(limits_, splitmix64(seed_), mono_now());
  draining_.clear();
  watchers_.end_all({grpc::UNAVAILABLE, "this registry no longer leads: open the stream at the one that does"});
}

void Engine::stop() { watchers_.end_all({grpc::UNAVAILABLE, "the registry is ending: open the stream again"}); }

void Engine::reload(const config::Config& config) {
  limits_ = limits_of(config.registry);
  check_defaults_ = config.health;
  members_->set_limits(limits_);
}

bool Engine::refuse_follower(const rpc::Done& done) const {
  if (leading()) return false;
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

void Engine::on_register(const registry::Caller& caller, const v1::RegisterModuleRequest& request, v1::RegisterModuleReply& reply, rpc::Done done) {
  auto module = bus::from_registration(with_defaults(request.module(), check_defaults_));
  if (!module) {
    members_->count_refusal(registry::RefusalKind::bad_field);
    return done(rpc::to_status(module.error()));
  }
  const auto added = members_->add(std::move(*module), caller, mono_now(), request.readmit());
  if (!added) return done(rpc::to_status(added.error()));
  fill(reply, *added, limits_);
  reply.set_epoch(epoch_);
  settle(std::move(done));
}

void Engine::on_heartbeat(const registry::Caller& caller, const v1::HeartbeatRequest& request, v1::HeartbeatReply& reply, rpc::Done done) {
  if (refuse_stranger(caller, request.module_id(), done)) return;
  const auto beat = members_->heartbeat(request.module_id(), request.lease_id(), load_of(request), mono_now());
  if (!beat) return done(rpc::to_status(beat.error()));
  fill(reply, *beat);
  if (request.has_load() && beat->wish != registry::Wish::stop) publish_load(request.module_id(), beat->lease / 3);
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
  if (request.cancel()) {
    const auto readmitted = members_->readmit(request.module_id());
    return readmitted ? settle(std::move(done)) : done(rpc::to_status(readmitted.error()));
  }
  const auto timeout = request.drain_timeout_ms() == 0 ? 30s : Duration(std::chrono::milliseconds(request.drain_timeout_ms()));
  const auto sessions = sessions_.of(request.module_id());
  const auto state = members_->remove(request.module_id(), request.lease_id(), request.drain() ? std::optional<Duration>(timeout) : std::nullopt,
                                      request.reason(), mono_now());
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
  reply.set_epoch(epoch_);
  done(fill(reply, *members_, request));
}

void Engine::on_stats(const registry::Caller&, const v1::GetStatsRequest& request, v1::GetStatsReply& reply, rpc::Done done) {
  fill(reply, *members_, sessions_, request, mono_now());
  reply.set_epoch(epoch_);
  reply.set_uptime_ms(static_cast<std::uint64_t>((mono_now() - started_) / 1ms));
  done(grpc::Status::OK);
}

void Engine::on_watch(std::shared_ptr<rpc::Watcher> watcher) {
  if (refuse_follower([&](grpc::Status status) { watcher->end(std::move(status)); })) return;
  watchers_.add(std::move(watcher), *members_, epoch_);
}

// ---- what follows from the membership's decisions

void Engine::tick() {
  pool_.let_go();
  if (!leading()) return;
  members_->tick(mono_now());
  if (mono_now() - started_ >= forwarders_settle) end_drained();
  settle(nullptr);
  watchers_.tick(epoch_, members_->revision(), mono_now());
}

void Engine::end_drained() {
  for (auto at = draining_.begin(); at != draining_.end();) {
    const auto next = std::next(at);      // the module may leave the map with its removal
    if (mono_now() - at->second >= sessions_settle && sessions_.ended(at->first, at->second + sessions_settle / 2)) members_->sessions_ended(at->first);
    at = next;
  }
}

void Engine::checked(const std::string& id, const registry::CheckAnswer& answer) {
  const auto member = members_->find(id);
  if (!leading() || !member) return;
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
  const auto forgotten = members_->take_forgotten();
  auto left = notices.size() + forgotten.size();
  const auto done_of_last = [&] { return --left == 0 ? std::exchange(done, nullptr) : nullptr; };
  for (const auto& key : forgotten) keep(key, when_kept([](const auto&) {}, done_of_last()));
  for (const auto& notice : notices) {
    begin(notice);
    keep(notice.module->key(), when_kept([this, notice](const auto& result) { kept(notice, result); }, done_of_last()));
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
  if (module.state.phase == registry::Phase::draining) draining_.try_emplace(id, mono_now());
  else draining_.erase(id);
  module.control ? pool_.add(id, *module.control) : pool_.remove(id);
  checker_.watch(module);
}

void Engine::keep(const registry::ModuleKey& key, Keeper::Done told) {
  if (const auto stored = members_->stored(key)) keeper_.put(*stored, std::move(told));
  else keeper_.remove(key, std::move(told));
}

Keeper::Done Engine::when_kept(std::function<void(const Result<>&)> act, rpc::Done done) {
  return [this, term = term_, act = std::move(act), done = std::move(done)](const Result<>& result) {
    loop_.post([this, term, act, done, result] {
      if (term != term_) {
        if (done) done({grpc::UNAVAILABLE, "another registry leads now: ask it"});
        return;
      }
      act(result);
      if (!done) return;
      if (!result && result.error().kind == ErrorKind::conflict) done({grpc::UNAVAILABLE, "another registry leads now: ask it"});
      else done(grpc::Status::OK);
    });
  };
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
  if (publish_ && notice.kind == Notice::Kind::removed) publish_(bus::make_topic("loads", {module.service, module.name}), {});
  watchers_.tell(notice, epoch_);
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

// As the membership took it: what a module can't know of itself goes no further.
void Engine::publish_load(const std::string& id, Duration next) {
  const auto member = members_->find(id);
  if (!publish_ || !member) return;
  publish_(bus::make_topic("loads", {member->module->service, member->module->name}), news_of(*member, next).SerializeAsString());
}

void Engine::hear_drains(const bus::Change& change) {
  v1::Drains message;
  if (change.kind != bus::Change::Kind::gone && !message.ParseFromString(*change.payload)) return;   // the last good word holds
  const std::string service(bus::topic_part(change.topic, 1));
  auto& listed = drains_[service];
  listed.clear();
  for (const auto& drain : message.drains()) listed[drain.module()] = drain.reason();
  if (!leading_) return;
  members_->drain_listed(service, listed);
  settle(nullptr);
}

void Engine::heard(const bus::PeerChange& change) {
  for (const auto& one : change.changes) {
    if (bus::class_of(one.topic) == "drains") hear_drains(one);
    if (bus::class_of(one.topic) != "traffic") continue;
    if (one.kind == bus::Change::Kind::gone || !one.payload) sessions_.forget(one.topic);
    else sessions_.report(one.topic, *one.payload, mono_now());
  }
}

}  // namespace nlb::registrar
