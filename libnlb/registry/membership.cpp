#include "libnlb/registry/membership.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "libnlb/core/excerpt.hpp"
#include "libnlb/core/hash.hpp"

namespace nlb::registry {

namespace {

std::string shown(std::string_view id) { return std::string(id.substr(0, 260)); }      // of a caller's text: two names and a slash

// A module that isn't known may register; an operator, whose lease id is 0, has mistaken the name.
Refusal unknown(std::string_view what, std::string_view id, std::uint64_t lease_id) {
  if (!parse_module_id(id))
    return {RefusalKind::bad_field, "module_id \"" + excerpt(id, 80) + "\" names no module: it is SERVICE/NAME, as in the reply to RegisterModule"};
  return {RefusalKind::unknown_module, std::string(what) + " " + std::string(id) + " is not known here: " +
                                           (lease_id == 0 ? "nlb-registry list shows those that are" : "register (again)")};
}

}  // namespace

std::optional<ModuleKey> parse_module_id(std::string_view id) {
  const auto slash = id.find('/');
  if (slash == std::string_view::npos || !is_name(id.substr(0, slash)) || !is_name(id.substr(slash + 1))) return std::nullopt;
  return ModuleKey{std::string(id.substr(0, slash)), std::string(id.substr(slash + 1))};
}

Membership::Membership(Limits limits, std::uint64_t lease_seed, MonoTime now)
    : limits_(std::move(limits)), lease_seed_(lease_seed), hearing_since_(now), ticked_at_(now) {}

// ---- registration

Outcome<Registered> Membership::add(Module wanted, const Caller& caller, MonoTime now, bool readmit) {
  auto admitted = admit(std::move(wanted), limits_, caller);
  if (!admitted) return refuse<Registered>(std::move(admitted.error()));
  auto& module = *admitted;
  const auto id = module_id(module.key());
  const auto* dismissal = dismissals_.find(id);
  if (dismissal && !readmit && dismissal->covers(module)) {
    dismissals_.heard(id, now);
    return refuse<Registered>(dismissal->refusal());
  }
  const auto found = members_.find(id);
  Member* known = found == members_.end() ? nullptr : &found->second;
  const auto replaced = known ? std::optional(counted(*known)) : std::nullopt;
  if (auto refusal = census_.refuse({module, caller.name}, replaced, limits_)) return refuse<Registered>(std::move(*refusal));
  if (known) return renew(*known, std::move(module), caller, now, readmit);

  if (module.incarnation == 0) module.incarnation = dismissal ? dismissal->module->incarnation + 1 : 1;
  dismissals_.remove(id);
  auto& member = insert(std::move(module), caller.name, new_lease_id(), now);
  ++counters_.registrations;
  publish(member, Notice::Kind::added, "registered");
  return Registered{member.module, member.lease_id, true};
}

Outcome<Registered> Membership::renew(Member& member, Module module, const Caller& caller, MonoTime now, bool readmit) {
  const auto& old = *member.module;
  const bool moved = module.data != old.data;
  if (module.incarnation == 0) module.incarnation = old.incarnation + (moved ? 1 : 0);
  if (module.incarnation < old.incarnation)
    return refuse<Registered>({RefusalKind::older_incarnation,
                               module_id(old.key()) + " belongs to a newer process (incarnation " + std::to_string(old.incarnation) +
                                   ", yours is " + std::to_string(module.incarnation) + "): stop, or use another name"});
  const bool other_process = module.incarnation > old.incarnation;
  if (other_process) {
    member.lease_id = new_lease_id();
    member.health.reported = Health::unknown;
    member.load = {};
  }
  if (module.check.kind != old.check.kind || module.protocol != old.protocol) member.health.forget_checks();
  else if (other_process || moved) member.health.hand_over(module.check);
  const bool stays_out = member.departure.dismissed && !other_process && !readmit;
  if (!stays_out) member.departure.stay();      // who registers isn't leaving; an operator's drain stays
  member.renewed_at = now;
  member.restored = false;
  set_suspect(member, std::nullopt);
  census_.remove(counted(member));
  census_.add({module, caller.name});
  member.caller = caller.name;
  ++counters_.registrations;
  module.state = old.state;
  const bool changed = module != old;
  if (changed) member.module = std::make_shared<const Module>(std::move(module));
  if (changed || has_news(member)) publish(member, Notice::Kind::changed, other_process ? "a newer process took the name over" : "registered again");
  reschedule(member, deadline(member));
  return Registered{member.module, member.lease_id, false};
}

void Membership::restore(Stored stored, MonoTime now) {
  if (members_.contains(module_id(stored.module.key()))) return;
  if (stored.gone) return forget(dismissals_.add({std::make_shared<const Module>(std::move(stored.module)), stored.lease_id, now}));
  const auto state = stored.module.state;
  auto& member = insert(std::move(stored.module), std::move(stored.caller), stored.lease_id, now);
  (member.module->check.kind == CheckKind::none ? member.health.reported : member.health.checked) = state.health;   // until checks say else
  const bool leaving = state.phase == Phase::draining && (!stored.operator_drain || stored.dismissed);
  member.departure = {stored.operator_drain, leaving ? std::optional(now + member.module->lease) : std::nullopt, stored.dismissed, state.reason};
  member.told = member.departure;
  member.restored = true;
  publish_if_changed(member, "restored");
}

Membership::Member& Membership::insert(Module module, std::string caller, std::uint64_t lease_id, MonoTime now) {
  auto& member = members_[module_id(module.key())];
  member.module = std::make_shared<const Module>(std::move(module));
  member.caller = std::move(caller);
  member.lease_id = lease_id;
  member.renewed_at = now;
  member.due = due_.emplace(deadline(member), &member);
  census_.add(counted(member));
  return member;
}

// ---- what members and operators say

Outcome<BeatReply> Membership::heartbeat(std::string_view id, std::uint64_t lease_id, const std::optional<Load>& load, MonoTime now) {
  ++counters_.heartbeats;
  const auto found = members_.find(id);
  if (found == members_.end()) {
    if (const auto* dismissal = dismissals_.find(id); dismissal && dismissal->lease_id == lease_id) {
      dismissals_.heard(id, now);
      return BeatReply{Wish::stop, dismissal->module->state.reason, {}, {}, {}};
    }
    return refuse<BeatReply>(unknown("heartbeat: module", id, std::max<std::uint64_t>(lease_id, 1)));      // who beats is the module
  }
  auto& member = found->second;
  if (lease_id != member.lease_id) return BeatReply{Wish::stop, "a newer process has this name: stop", {}, {}, member.module->state};
  ++member.heartbeats;
  member.renewed_at = std::max(member.renewed_at, now);
  member.restored = false;
  if (load) {
    member.load = possible(*load);
    member.load_at = now;
  }
  if (member.suspect_since) {
    set_suspect(member, std::nullopt);
    publish_if_changed(member, "beats again");
  }
  BeatReply reply{Wish::none, {}, member.module->lease, {}, member.module->state};
  if (reply.state.phase == Phase::draining) {
    reply.wish = Wish::drain;
    reply.reason = reply.state.reason;
    if (const auto at = member.departure.remove_at) reply.drain_remaining = std::max(Duration{}, *at - now);
  }
  return reply;
}

Outcome<ModuleState> Membership::report(std::string_view id, std::uint64_t lease_id, Health health, std::string reason) {
  auto member = member_of(id, lease_id);
  if (!member) return refuse<ModuleState>(std::move(member.error()));
  (*member)->health.reported = health;
  (*member)->health.reported_reason = shortened(std::move(reason));
  publish_if_changed(**member, "the module reported its health");
  return (*member)->module->state;
}

Outcome<ModuleState> Membership::checked(std::string_view id, const CheckAnswer& answer) {
  auto member = member_of(id, 0);
  if (!member) return refuse<ModuleState>(std::move(member.error()));
  auto bounded = answer;
  bounded.error = shortened(std::move(bounded.error));
  (*member)->health.answer((*member)->module->check, bounded);
  publish_if_changed(**member, answer.good ? "check passed" : "check failed: " + bounded.error);
  return (*member)->module->state;
}

Outcome<ModuleState> Membership::remove(std::string_view id, std::uint64_t lease_id, std::optional<Duration> drain, std::string reason,
                                        MonoTime now) {
  auto found = member_of(id, lease_id);
  if (!found) return refuse<ModuleState>(std::move(found.error()));
  auto& member = **found;
  const bool at_once = !drain || *drain <= Duration{};
  if (reason.empty()) reason = at_once ? "unregistered" : "leaving";
  member.departure.leave(now + std::min(drain.value_or(Duration{}), drain_max), lease_id == 0, shortened(std::move(reason)));
  if (at_once) {
    const auto last = member.module->state;
    erase(member, member.departure.reason);
    return last;
  }
  publish_if_changed(member, "draining");
  reschedule(member, deadline(member));
  return member.module->state;
}

Outcome<ModuleState> Membership::set_drain(std::string_view id, bool drain, std::string reason) {
  auto found = member_of(id, 0);
  if (!found) return refuse<ModuleState>(std::move(found.error()));
  auto& member = **found;
  member.departure.drain(reason.empty() ? "drained by the operator" : shortened(std::move(reason)));
  if (!drain) member.departure = {};
  publish_if_changed(member, drain ? "draining" : "drain cancelled");
  return member.module->state;
}

Outcome<void> Membership::readmit(std::string_view id) {
  if (const auto* dismissal = dismissals_.find(id)) {
    const auto key = dismissal->module->key();
    dismissals_.remove(id);
    forget({key});
    return {};
  }
  const auto found = members_.find(id);
  if (!parse_module_id(id)) return refuse<void>(unknown("module", id, 0));
  if (found == members_.end() || !found->second.departure.dismissed)
    return refuse<void>({RefusalKind::unknown_module, "readmit " + shown(id) + ": no operator has taken it out: there is nothing to cancel"});
  auto& member = found->second;
  member.departure.stay();
  publish_if_changed(member, "readmitted");
  return {};
}

void Membership::drain_listed(std::string_view service, const Listed& listed) {
  for (auto& [id, member] : members_) {
    if (member.module->service != service) continue;
    const auto wanted = listed.find(member.module->name);
    member.departure.listed(wanted == listed.end() ? nullptr : &wanted->second);
    member.departure.reason = shortened(std::move(member.departure.reason));
    publish_if_changed(member, member.departure.drained ? "draining" : "called back by nlb-scale");
  }
}

void Membership::sessions_ended(std::string_view id) {
  const auto found = members_.find(id);
  if (found != members_.end() && found->second.departure.remove_at) erase(found->second, "drained");
}

// ---- time

void Membership::tick(MonoTime now) {
  if (now <= ticked_at_) return;
  if (now - ticked_at_ > pause_max) {      // we slept, so nobody could have been heard
    hearing_since_ = now;
    ++counters_.pauses;
  }
  ticked_at_ = now;
  while (!due_.empty() && due_.begin()->first <= now) settle(*due_.begin()->second, now);
  forget(dismissals_.forget_silent(now));
}

std::optional<MonoTime> Membership::next_deadline() const {
  return due_.empty() ? std::nullopt : std::optional(due_.begin()->first);
}

MonoTime Membership::lease_end(const Member& member) const {
  return std::max(member.renewed_at, hearing_since_) + member.module->lease;
}

MonoTime Membership::deadline(const Member& member) const {
  const auto end = lease_end(member);
  return member.departure.remove_at ? std::min(end, *member.departure.remove_at) : end;
}

void Membership::settle(Member& member, MonoTime now) {
  if (member.departure.remove_at && *member.departure.remove_at <= now) return erase(member, "drain time is over");
  if (lease_end(member) > now) return reschedule(member, deadline(member));
  lease_over(member, now);
}

void Membership::lease_over(Member& member, MonoTime now) {
  const auto& module = *member.module;
  const bool unheard = member.restored || member.renewed_at < hearing_since_;
  const auto verdict = judge({module, member.health, member.departure.remove_at.has_value(), unheard, member.suspect_since}, census_, hearing_since_, now);
  if (verdict.suspect_now) {
    ++counters_.suspicions;
    set_suspect(member, now);
  }
  if (!verdict.removed_for.empty()) {
    ++counters_.expirations;
    return erase(member, std::string(verdict.removed_for));
  }
  const auto again = now + module.lease / 3;
  publish_if_changed(member, "lease ended");
  reschedule(member, again);
}

void Membership::set_suspect(Member& member, std::optional<MonoTime> since) {
  const auto& service = member.module->service;
  if (since && !member.suspect_since) census_.falls_silent(service);
  if (!since && member.suspect_since) census_.speaks_again(service);
  member.suspect_since = since;
}

void Membership::reschedule(Member& member, MonoTime at) {
  due_.erase(member.due);
  member.due = due_.emplace(at, &member);
}

// ---- bookkeeping

ModuleState Membership::state_of(const Member& member) const {
  const auto kind = member.module->check.kind;
  ModuleState state{Phase::up, effective(member.health, kind), reason(member.health, kind)};
  if (member.departure.draining()) {
    state.phase = Phase::draining;
    state.reason = member.departure.reason;
  } else if (member.suspect_since) {
    state.phase = Phase::suspect;
    state.reason = "no heartbeat for its lease time";
  }
  return state;
}

void Membership::publish(Member& member, Notice::Kind kind, std::string reason) {
  auto next = *member.module;
  next.state = state_of(member);
  member.module = std::make_shared<const Module>(std::move(next));
  member.told = member.departure;
  notices_.push_back({kind, member.module, std::move(reason), ++revision_});
}

// Why a module is unhealthy changes often and changes nothing.
bool Membership::has_news(const Member& member) const {
  const auto state = state_of(member);
  const auto& known = member.module->state;
  return state.phase != known.phase || state.health != known.health || member.departure != member.told;
}

void Membership::publish_if_changed(Member& member, std::string reason) {
  if (has_news(member)) publish(member, Notice::Kind::changed, std::move(reason));
}

void Membership::erase(Member& member, std::string reason) {
  if (member.suspect_since) census_.leaves_silent(member.module->service);
  if (member.departure.dismissed) dismiss(member);
  ++counters_.removals;
  notices_.push_back({Notice::Kind::removed, member.module, std::move(reason), ++revision_});
  census_.remove(counted(member));
  due_.erase(member.due);
  members_.erase(members_.find(module_id(member.module->key())));
}

void Membership::dismiss(const Member& member) {
  auto last = *member.module;
  last.state.reason = shortened("taken out by the operator: " + member.departure.reason);
  forget(dismissals_.add({std::make_shared<const Module>(std::move(last)), member.lease_id, ticked_at_}));
}

void Membership::forget(std::vector<ModuleKey> keys) { std::move(keys.begin(), keys.end(), std::back_inserter(forgotten_)); }

template <class T>
Outcome<T> Membership::refuse(Refusal refusal) {
  count_refusal(refusal.kind);
  return tl::unexpected<Refusal>(std::move(refusal));
}

Outcome<Membership::Member*> Membership::member_of(std::string_view id, std::uint64_t lease_id) {
  const auto found = members_.find(id);
  if (found == members_.end()) {
    if (const auto* dismissal = dismissals_.find(id); dismissal && dismissal->lease_id == lease_id) return tl::unexpected<Refusal>(dismissal->refusal());
    return tl::unexpected<Refusal>(unknown("module", id, lease_id));
  }
  if (lease_id != 0 && lease_id != found->second.lease_id)
    return tl::unexpected<Refusal>({RefusalKind::wrong_lease, "module " + shown(id) + " belongs to a newer process: stop"});
  return &found->second;
}

std::string Membership::shortened(std::string text) const {
  constexpr std::size_t mark = 3;                // "..."
  return text.size() <= limits_.reason_bytes_max ? text : excerpt(text, limits_.reason_bytes_max - mark);
}

std::uint64_t Membership::new_lease_id() {
  const auto id = mix64(lease_seed_ + ++leases_ * 0x9e3779b97f4a7c15);
  return id == 0 ? new_lease_id() : id;      // 0 means the operator
}

// ---- reading

std::vector<Notice> Membership::take_notices() { return std::exchange(notices_, {}); }
std::vector<ModuleKey> Membership::take_forgotten() { return std::exchange(forgotten_, {}); }

std::optional<Stored> Membership::stored(const ModuleKey& key) const {
  const auto id = module_id(key);
  if (const auto found = members_.find(id); found != members_.end()) {
    const auto& m = found->second;
    return Stored{*m.module, m.lease_id, m.caller, m.departure.drained, m.departure.dismissed, false};
  }
  if (const auto* dismissal = dismissals_.find(id)) return Stored{*dismissal->module, dismissal->lease_id, {}, false, true, true};
  return std::nullopt;
}

std::optional<MemberView> Membership::find(std::string_view id) const {
  const auto found = members_.find(id);
  if (found == members_.end()) return std::nullopt;
  const auto& m = found->second;
  return view(m);
}

MemberView Membership::view(const Member& m) const {
  return {m.module, m.health, m.load, m.load_at, lease_end(m), m.lease_id, m.heartbeats, m.caller, m.departure.drained};
}

std::vector<ModulePtr> Membership::list() const {
  std::vector<ModulePtr> all;
  all.reserve(members_.size());
  for (const auto& [id, member] : members_) all.push_back(member.module);
  std::sort(all.begin(), all.end(), [](const ModulePtr& a, const ModulePtr& b) {
    return std::tie(a->service, a->name) < std::tie(b->service, b->name);
  });
  return all;
}

std::vector<MemberView> Membership::views() const {
  std::vector<MemberView> all;
  all.reserve(members_.size());
  for (const auto& [id, m] : members_) all.push_back(view(m));
  return all;
}

}  // namespace nlb::registry
