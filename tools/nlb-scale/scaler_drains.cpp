// Going in: written down, drained, removed when empty or at the deadline, and called back when load returns first; one that somebody named
// is not, another is started in its place. And the replicas that never came: given up after twice the time that others need.
#include <algorithm>

#include "libnlb/daemon/log.hpp"
#include "libnlb/daemon/clock.hpp"
#include "tools/nlb-scale/scaler.hpp"

namespace nlb::tool {

using daemon::mono_now;
namespace {

constexpr Duration stop_grace = std::chrono::seconds(10);

}  // namespace

void Scaler::start_drains(const std::vector<std::string>& ids, scale::DrainKind kind, Duration limit, const std::string& reason) {
  store::Transaction t;
  std::string names;
  for (const auto& id : ids) {
    pool_.drain(id, kind, limit, reason, mono_now());
    put_drain(t, id);
    names += (names.empty() ? "" : ", ") + id;
  }
  world_.record(event("down", reason + "; draining " + names), std::move(t), [this, ids, alive = std::weak_ptr(alive_)](const Result<std::uint64_t>& written) {
    if (alive.expired()) return;
    store_error_ = written ? "" : written.error().text;
    if (!written)
      for (const auto& id : ids) pool_.call_back(id);
    world_.drains_changed(service());
  });
}

void Scaler::finish_drains(MonoTime now) {
  if (!seen_once_ || observes()) return;
  for (const auto& id : pool_.removable(now)) {
    const auto& drain = pool_.drains().at(id);
    const auto open = pool_.sessions_of(id, now);
    if (now >= drain.deadline && open && *open > 0)
      daemon::log::warning("the drain's deadline is over", {{"service", name()}, {"replica", id}, {"sessions", *open}});
    pool_.removing(id, true);
    remove(id);
  }
}

void Scaler::remove(const std::string& id) {
  target_->remove(id, stop_grace, [this, id, alive = std::weak_ptr(alive_)](const Result<>& outcome) {
    if (alive.expired()) return;
    if (!outcome) {                                        // still drained: tried again, as the target's back-off allows
      ++counts_.failures;
      pool_.removing(id, false);
      next_drain_look_ = mono_now() + std::chrono::seconds(2);
      daemon::log::warning("a replica could not be removed", {{"service", name()}, {"replica", id}, {"reason", outcome.error().text}});
      return;
    }
    pool_.removed(id);
    if (agreed_ && *agreed_ > 0) --*agreed_;
    store::Transaction t;
    t.then.push_back(store::remove_of(drain_key(id)));
    world_.record(event("removed", id + " is gone"), std::move(t), {});
    world_.drains_changed(service());
    world_.decided(*this);
  });
}

// Where replicas register, one that doesn't for twice the time that others need is given up; the next decision orders another.
void Scaler::replace_stuck() {
  if (!pool_.registered() || observes()) return;
  const auto limit = std::max<Duration>(2 * decider_->startup(), std::chrono::minutes(1));
  const auto stuck = pool_.stuck(limit);
  if (stuck.empty() || (running_ && running_->state == "ordered")) return;
  start_drains({stuck.front()}, scale::DrainKind::named, Duration{}, "it has not registered within " + format_duration(limit));
}

Result<> Scaler::drain(const std::string& module, Duration deadline, const std::string& reason) {
  const auto id = pool_.replica_named(module);
  if (!id) return fail(ErrorKind::not_found, name() + " has no replica or module '" + module + "': see nlb-scale status");
  const auto counts = pool_.counts();
  const auto hold = mono_now() < hold_until_ ? hold_ : 0;
  if (counts.ordered <= hold) return fail(ErrorKind::refused, "drain " + module + ": a rollout holds " + replicas_text(hold) + " of " + name() + ": wait for it or abort it");
  start_drains({*id}, scale::DrainKind::named, deadline > Duration{} ? deadline : options_.drain_timeout, reason.empty() ? "asked for" : reason);
  return {};
}

Result<> Scaler::undrain(const std::string& module) {
  const auto id = pool_.replica_named(module);
  if (!id || !pool_.call_back(*id)) return fail(ErrorKind::not_found, name() + " does not drain '" + module + "', or it is being removed already: see nlb-scale status");
  store::Transaction t;
  t.then.push_back(store::remove_of(drain_key(*id)));
  world_.record(event("undrain", *id + " is called back"), std::move(t), {});
  world_.drains_changed(service());
  return {};
}

}  // namespace nlb::tool
