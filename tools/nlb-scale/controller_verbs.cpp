// The verbs: journaled under their request id before they are answered; the same id again gets the first answer.
#include <algorithm>
#include <tuple>

#include "libnlb/core/excerpt.hpp"
#include "tools/nlb-scale/controller.hpp"
#include "tools/nlb-scale/policy.hpp"

namespace nlb::tool {
namespace {

constexpr std::size_t request_id_bytes_max = 100;      // as nlb-deploy's

Duration from_ms(std::uint32_t ms) { return std::chrono::milliseconds(ms); }
std::uint32_t ms32(Duration d) { return static_cast<std::uint32_t>(std::clamp<std::int64_t>(d / std::chrono::milliseconds(1), 0, 0xffffffff)); }

v1::CommandReply refused(std::uint64_t revision, std::string why) {
  v1::CommandReply reply;
  reply.set_revision(revision);
  reply.set_refused(std::move(why));
  for (const auto* verb : {"policy", "set", "hold", "pause", "resume", "drain", "undrain"}) reply.add_legal_verbs(verb);
  return reply;
}

}  // namespace

v1::Policy to_proto(const config::ScalePolicy& p, Duration interval) {
  v1::Policy out;
  out.set_service(p.service);
  out.set_version(p.version);
  out.set_min(p.min);
  out.set_max(p.max);
  out.set_strategy(std::string(scale::strategy_names[static_cast<std::size_t>(p.strategy)]));
  out.set_cpu_percent(p.cpu_percent);
  out.set_memory_percent(p.memory_percent);
  out.set_connections(p.connections);
  out.set_rate(p.rate);
  out.set_periods(p.periods);
  out.set_up_cooldown_ms(ms32(p.up.cooldown));
  out.set_up_step_max(p.up.step_max);
  out.set_down_cooldown_ms(ms32(p.down.cooldown));
  out.set_down_step_max(p.down.step_max);
  out.set_interval_ms(ms32(interval));
  out.set_target(p.target.kind);
  out.set_up_percent(p.up_percent);
  out.set_down_percent(p.down_percent);
  return out;
}

Result<config::ScalePolicy> merged(const v1::Policy& p, const config::ScalePolicy* known) {
  config::ScalePolicy out = known != nullptr ? *known : config::ScalePolicy{};
  if (p.service().empty()) return fail(ErrorKind::bad_input, "policy.service: a policy needs one: name it");
  if (!p.target().empty() && p.target() != out.target.kind)
    return fail(ErrorKind::bad_input, "policy.target: " + excerpt(p.target()) + ": the configuration says " + out.target.kind + " for " + p.service() + ": targets are named there only");
  const auto strategy = std::find(scale::strategy_names.begin(), scale::strategy_names.end(), p.strategy());
  if (strategy == scale::strategy_names.end()) return fail(ErrorKind::bad_input, "policy.strategy: '" + excerpt(p.strategy()) + "' is none: use threshold, hpa or predictive");
  out.service = p.service();
  out.version = p.version();
  out.min = p.min();
  out.max = p.max();
  out.strategy = static_cast<config::Strategy>(strategy - scale::strategy_names.begin());
  out.cpu_percent = p.cpu_percent();
  out.memory_percent = p.memory_percent();
  out.connections = p.connections();
  out.rate = p.rate();
  out.periods = p.periods();
  out.up = {from_ms(p.up_cooldown_ms()), p.up_step_max()};
  out.down = {from_ms(p.down_cooldown_ms()), p.down_step_max()};
  if (p.up_percent() != 0 || p.down_percent() != 0) std::tie(out.up_percent, out.down_percent) = std::pair(p.up_percent(), p.down_percent());
  return out;
}

Controller::Reply Controller::command(const v1::CommandHead& head, const std::string& verb, const std::string& service, const Change& change) {
  if (head.request_id().empty() || head.request_id().size() > request_id_bytes_max)
    return fail(ErrorKind::bad_input, "head.request_id: 1 to " + std::to_string(request_id_bytes_max) + " bytes made by the client are required: make a UUID for each command");
  if (const auto at = answered_.find(head.request_id()); at != answered_.end()) {
    auto reply = at->second;
    reply.set_repeated_request(true);
    return reply;
  }
  if (std::any_of(history_.begin(), history_.end(), [&](const auto& e) { return e.request == head.request_id(); })) {   // answered before a restart
    v1::CommandReply again;
    again.set_accepted(true);
    again.set_revision(revision_);
    again.set_repeated_request(true);
    return again;
  }
  if (head.has_expect_revision() && head.expect_revision() != revision_)
    return refused(revision_, "revision " + std::to_string(head.expect_revision()) + " was expected, but it is " + std::to_string(revision_) + ": look again");
  const auto done = change();
  if (!done && (done.error().kind == ErrorKind::bad_input || done.error().kind == ErrorKind::not_found)) return tl::unexpected(done.error());
  auto reply = done ? v1::CommandReply() : refused(revision_, done.error().text);
  if (done) {
    Event e;
    e.verb = verb;
    e.service = service;
    e.text = *done + (head.reason().empty() ? "" : ": " + head.reason());
    e.actor = head.actor();
    e.request = head.request_id();
    record(std::move(e), {}, {});
    save();
    reply.set_accepted(true);
    reply.set_revision(revision_);
  }
  answered_[head.request_id()] = reply;
  answered_order_.push_back(head.request_id());
  if (answered_order_.size() > answers_max) {
    answered_.erase(answered_order_.front());
    answered_order_.pop_front();
  }
  return reply;
}

Result<std::vector<Scaler*>> Controller::named(const std::string& service, const std::string& version) const {
  auto found = scalers_of(service, version);
  if (service.empty() || found.empty())
    return fail(ErrorKind::not_found, "'" + excerpt(service + (version.empty() ? "" : " " + version)) + "' is not scaled here: nlb-scale status names what is");
  return found;
}

Controller::Reply Controller::set_policy(const v1::SetPolicyRequest& request) {
  const auto& p = request.policy();
  return command(request.head(), "policy", p.service(), [&]() -> Result<std::string> {
    auto policy = merged(p, policy_for(p.service(), p.version()));
    if (!policy) return tl::unexpected(policy.error());
    if (auto good = policy_of(*policy, config_.scale.interval); !good) return tl::unexpected(good.error());
    set_policies_[{p.service(), p.version()}] = *policy;
    store::Transaction t;
    t.then.push_back(store::put_of("policy/" + p.service() + "/" + p.version(), p.SerializeAsString()));
    keeper_.commit(std::move(t));
    find_versions();
    for (auto* s : scalers_of(p.service(), p.version()))
      if (auto changed = s->change(options_of(*policy_for(s->service(), s->version()), s->version())); !changed) return tl::unexpected(changed.error());
    return std::to_string(p.min()) + " to " + std::to_string(p.max()) + ", " + p.strategy();
  });
}

Controller::Reply Controller::delete_policy(const v1::DeletePolicyRequest& request) {
  return command(request.head(), "policy", request.service(), [&]() -> Result<std::string> {
    if (set_policies_.erase({request.service(), request.version()}) == 0)
      return fail(ErrorKind::not_found, "no policy of '" + excerpt(request.service()) + "' was set by hand: those of the configuration are changed there");
    store::Transaction t;
    t.then.push_back(store::remove_of("policy/" + request.service() + "/" + request.version()));
    keeper_.commit(std::move(t));
    for (auto* s : scalers_of(request.service(), request.version())) {
      const auto* policy = policy_for(s->service(), s->version());
      if (policy == nullptr) {
        const Key key{s->service(), s->version()};
        scalers_.erase(key);
        publish_drains(key.first);
      } else if (auto changed = s->change(options_of(*policy, s->version())); !changed) {
        return tl::unexpected(changed.error());
      }
    }
    return std::string("the configuration's policy holds again");
  });
}

Controller::Reply Controller::set_replicas(const v1::SetReplicasRequest& request) {
  return command(request.head(), "set", request.service(), [&]() -> Result<std::string> {
    if (request.replicas() > scale::replicas_max)
      return fail(ErrorKind::bad_input, "replicas: " + std::to_string(request.replicas()) + " is too many: at most " + std::to_string(scale::replicas_max));
    const auto found = named(request.service(), request.version());
    if (!found) return tl::unexpected(found.error());
    if (found->size() > 1) return fail(ErrorKind::refused, request.service() + " has " + std::to_string(found->size()) + " versions: name one with --version");
    auto& scaler = *found->front();
    const auto& policy = scaler.policy();
    if (request.replicas() < policy.min || request.replicas() > policy.max)
      return fail(ErrorKind::refused, "set " + request.service() + " " + std::to_string(request.replicas()) + ": the policy allows " + std::to_string(policy.min) + " to " +
                                          std::to_string(policy.max) + ": change it with nlb-scale policy set");
    scaler.set_by_hand(request.replicas(), from_ms(request.hold_ms()));
    return std::to_string(request.replicas()) + " replicas" + (request.hold_ms() > 0 ? " for " + format_duration(from_ms(request.hold_ms())) : std::string());
  });
}

Controller::Reply Controller::hold(const v1::HoldRequest& request) {
  return command(request.head(), "hold", request.service(), [&]() -> Result<std::string> {
    const auto found = named(request.service(), request.version());
    if (!found) return tl::unexpected(found.error());
    for (auto* s : *found) s->freeze(from_ms(request.hold_ms()));
    return request.hold_ms() > 0 ? "no change for " + format_duration(from_ms(request.hold_ms())) : std::string("the hold has ended");
  });
}

Controller::Reply Controller::pause(const v1::PauseRequest& request) {
  return command(request.head(), "pause", request.service(), [&]() -> Result<std::string> {
    const auto found = named(request.service(), request.version());
    if (!found) return tl::unexpected(found.error());
    for (auto* s : *found) s->pause(request.up(), request.down());
    return std::string(request.up() && request.down() ? "paused" : request.up() ? "paused up" : request.down() ? "paused down" : "resumed");
  });
}

Controller::Reply Controller::drain(const v1::DrainModulesRequest& request) {
  return command(request.head(), request.cancel() ? "undrain" : "drain", request.service(), [&]() -> Result<std::string> {
    const auto found = named(request.service(), "");
    if (!found) return tl::unexpected(found.error());
    if (request.modules().empty()) return fail(ErrorKind::bad_input, "modules: none is named: name at least one");
    std::string names;
    for (const auto& module : request.modules()) {
      Result<> done = fail(ErrorKind::not_found, request.service() + " has no replica or module '" + excerpt(module) + "': see nlb-scale status");
      for (auto* s : *found) {
        if (!s->pool().replica_named(module)) continue;
        done = request.cancel() ? s->undrain(module) : s->drain(module, from_ms(request.deadline_ms()), request.head().reason());
      }
      if (!done) return tl::unexpected(done.error());
      names += (names.empty() ? "" : ", ") + module;
    }
    return names;
  });
}

v1::GetPolicyReply Controller::policies(const std::string& service) const {
  v1::GetPolicyReply reply;
  reply.set_revision(revision_);
  std::set<Key> told;
  for (const auto& [key, policy] : set_policies_)
    if (service.empty() || key.first == service) {
      *reply.add_policies() = to_proto(policy, config_.scale.interval);
      told.insert(key);
    }
  for (const auto& policy : config_.scale.policies)
    if ((service.empty() || policy.service == service) && !told.contains({policy.service, policy.version}))
      *reply.add_policies() = to_proto(policy, config_.scale.interval);
  return reply;
}

}  // namespace nlb::tool
