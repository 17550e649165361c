// Measuring, deciding and acting. Who goes, and how, is in scaler_drains.cpp; what a Scaler tells others (status, explain, forecast, the
// store's keys) in scaler_report.cpp.
#include "tools/nlb-scale/scaler.hpp"

#include <algorithm>

#include "libnlb/daemon/clock.hpp"
#include "libnlb/daemon/log.hpp"
#include "libnlb/scale/demand.hpp"
#include "tools/nlb-scale/policy.hpp"

namespace nlb::tool {

using daemon::mono_now;
namespace {

constexpr Duration drain_look = std::chrono::milliseconds(500);
constexpr Duration repair_period = std::chrono::seconds(10);
constexpr Duration facts_wait = std::chrono::seconds(15);   // for the peers' facts after a start

scale::Now now_both() { return {mono_now(), std::chrono::system_clock::now()}; }

scale::ReplicaSeen seen_of(const orchestrator::Instance& i) {
  using From = orchestrator::InstanceState;
  using To = scale::ReplicaSeen::State;
  const auto state = i.state == From::starting ? To::starting : i.state == From::ready ? To::ready : i.state == From::stopping ? To::stopping : To::failed;
  return {state, i.id, i.address, i.age};
}

}  // namespace

Scaler::Scaler(ScalerOptions options, World& world, std::unique_ptr<orchestrator::Target> target)
    : options_(std::move(options)), world_(world), target_(std::move(target)), meter_({options_.interval}), settled_(mono_now() + facts_wait) {
  decider_ = std::make_unique<scale::Decider>(effective());
}
Scaler::~Scaler() = default;

// A kind that nobody asked for by name and nobody has ever measured isn't missing, it isn't there.
scale::Policy Scaler::effective() const {
  auto policy = policy_of(options_.policy, options_.interval).value_or(scale::Policy{});
  bool any = false;
  for (std::size_t k = 0; k < scale::metric_kinds; ++k) any = any || (policy.target[k] > 0 && (options_.required[k] || measured_[k]));
  if (any)
    for (std::size_t k = 0; k < scale::metric_kinds; ++k)
      if (!options_.required[k] && !measured_[k]) policy.target[k] = 0;
  return policy;
}

void Scaler::renew_decider() {
  const auto now = now_both();
  const auto saved = decider_->save(now);
  decider_ = std::make_unique<scale::Decider>(effective());
  if (const auto loaded = decider_->load(saved, now); !loaded) daemon::log::warning("what was learned is lost", {{"service", name()}, {"reason", loaded.error().text}});
}

Result<> Scaler::change(ScalerOptions options) {
  if (auto good = policy_of(options.policy, options.interval); !good) return tl::unexpected(good.error());
  if (options.interval != options_.interval) meter_ = scale::Meter({options.interval});
  options_ = std::move(options);
  renew_decider();
  decide_soon();
  return {};
}

void Scaler::weights(std::uint32_t next_weight, bool retired, bool in_rollout) {
  next_weight_ = next_weight;
  retired_ = retired;
  in_rollout_ = in_rollout;
}

void Scaler::tick(MonoTime now) {
  if (now >= next_drain_look_) {
    next_drain_look_ = now + drain_look;
    finish_drains(now);
  }
  if (now < next_ || observing_) return;
  next_ = now + options_.interval;
  observe(now);
}

void Scaler::observe(MonoTime) {
  observing_ = true;
  target_->observe([this, alive = std::weak_ptr(alive_)](Seen seen) {
    if (!alive.expired()) observed(seen);
  });
}

void Scaler::observed(const Seen& seen) {
  observing_ = false;
  const auto now = mono_now();
  if (seen) {
    observe_error_.clear();
    token_ = seen->token;
    std::vector<scale::ReplicaSeen> replicas;
    for (const auto& i : seen->instances) replicas.push_back(seen_of(i));
    if (seen->counted) pool_.observed(std::move(replicas), seen->desired, now);
    else pool_.uncounted();
    if (!agreed_) agreed_ = seen->desired;
    seen_once_ = true;
    for (const auto& [id, d] : restored_drains_)
      pool_.drain(id, d.kind, std::max(Duration{}, Duration(d.deadline - std::chrono::system_clock::now())), "began before a restart", now);
    if (!restored_drains_.empty()) world_.drains_changed(service());
    restored_drains_.clear();
  } else {
    observe_error_ = seen.error().text;
  }
  for (const auto& [id, took] : pool_.newly_ready(now)) {
    target_->mark_ready(id);
    decider_->started(took);
    daemon::log::info("a replica serves", {{"service", name()}, {"replica", id}, {"seconds", to_seconds(took)}});
  }
  if (!seen_once_) return world_.decided(*this);
  decide();
  if (!observe_error_.empty()) return;
  replace_stuck();
  repair();
}

// A version is sized on its own load, or on its share of the service's at the weight that it may get next.
std::vector<scale::Metric> Scaler::metrics(MonoTime now) {
  auto own = meter_.metrics(now);
  bool renewed = false;
  for (std::size_t k = 0; k < scale::metric_kinds; ++k)
    if (!measured_[k] && meter_.known(static_cast<scale::MetricKind>(k))) measured_[k] = renewed = true;
  if (renewed) renew_decider();
  if (next_weight_ == 0) return own;
  for (const auto& whole : world_.service_metrics(service())) {
    if (whole.kind != scale::MetricKind::rate && whole.kind != scale::MetricKind::connections) continue;
    const auto mine = std::find_if(own.begin(), own.end(), [&](const auto& m) { return m.kind == whole.kind; });
    if (mine == own.end()) {
      auto share = whole;
      share.total = scale::demand_of(0, whole.total, next_weight_);
      own.push_back(share);
    } else {
      mine->total = scale::demand_of(mine->total, whole.total, next_weight_);
    }
  }
  return own;
}

scale::Overrides Scaler::overrides(MonoTime now) {
  if (frozen_until_ && now >= *frozen_until_) frozen_until_.reset();
  scale::Overrides o;
  o.by_hand = by_hand_;
  if (by_hand_ && (!by_hand_until_ || now >= *by_hand_until_)) {   // for one decision, or its time is over
    if (by_hand_until_) o.by_hand.reset();
    by_hand_.reset();
    by_hand_until_.reset();
  }
  if (resume_) resume(o);
  o.pause_up = pause_up_;
  o.pause_down = pause_down_;
  o.frozen = frozen_until_.has_value();
  o.retired = retired_;
  o.in_rollout = in_rollout_;
  o.incomplete = !meter_.complete(now) || (facts_missing_ && now < settled_);
  return o;
}

// An order from before a restart: the target may have taken it. If not, it is given again; what must not grow is stopped by the limits.
void Scaler::resume(scale::Overrides& o) {
  const auto counts = pool_.counts();
  const auto total = *std::exchange(resume_, std::nullopt);
  if (total > counts.wanted_of_target) {
    o.resume = total - std::min(total, counts.draining);
    return;
  }
  store::Transaction t;
  t.then.push_back(store::remove_of(key("intent")));
  world_.record(event("done", "the order for " + replicas_text(total) + " had been taken before the restart"), std::move(t), {});
}

void Scaler::decide() {
  const auto begun = std::chrono::steady_clock::now();
  const auto now = now_both();
  const auto counts = pool_.counts();
  const auto measured = metrics(now.mono);
  const auto hold = now.mono < hold_until_ ? hold_ : 0;
  auto decision = decider_->decide(now, {counts.ordered, counts.ready, hold, measured});
  apply(decision, overrides(now.mono), decider_->policy().limits);
  decision_times_.record(std::chrono::steady_clock::now() - begun);
  ++(decision.wanted > decision.current ? counts_.up : decision.wanted < decision.current ? counts_.down : counts_.hold);
  ++revision_;
  last_ = decision;
  world_.decided(*this);
  if (decision.wanted != decision.current) return act(decision);
  recommended_ = ~0U;
  if (running_ && running_->state != "ordered") running_.reset();   // what failed isn't wanted any more
}

void Scaler::act(const scale::Decision& d) {
  if (running_ && running_->state == "ordered") return;   // one at a time; the next decision comes soon
  if (observes()) {
    if (d.wanted != std::exchange(recommended_, d.wanted))
      world_.record(event("recommend", "would have " + replicas_text(d.wanted) + " instead of " + std::to_string(d.current) + ": " + std::string(to_string(d.winner))), {}, {});
    return;
  }
  const auto target = target_->status();
  const auto retry_in = target.verbs[static_cast<std::size_t>(orchestrator::Verb::set)].retry_in;
  if (!observe_error_.empty() || retry_in > Duration{}) return;   // the target's back-off decides when it is worth trying again
  if (d.wanted > d.current) grow(d, d.wanted - d.current);
  else shrink(d, d.current - d.wanted);
}

Event Scaler::event(std::string verb, std::string text) const {
  Event e;
  e.at = std::chrono::system_clock::now();
  e.verb = std::move(verb);
  e.service = service();
  e.version = version();
  e.text = std::move(text);
  e.actor = "nlb-scale";
  if (running_) e.id = running_->id;
  return e;
}

void Scaler::grow(const scale::Decision& d, std::uint32_t more) {
  const auto back = pool_.call_back(more);
  const auto left = more - static_cast<std::uint32_t>(back.size());
  running_ = Running{name() + "#" + std::to_string(d.at.time_since_epoch().count()), static_cast<std::int32_t>(more), "ordered", mono_now(), mono_now() + std::chrono::seconds(30), {}};
  store::Transaction t;
  for (const auto& id : back) t.then.push_back(store::remove_of(drain_key(id)));
  const auto total = pool_.counts().wanted_of_target + left;
  if (left > 0) t.then.push_back(store::put_of(key("intent"), std::to_string(total)));
  auto text = std::to_string(d.current) + " to " + std::to_string(d.wanted) + ": " + std::string(to_string(d.winner)) + ", " + std::string(meaning(d.winner));
  if (!back.empty()) text += "; " + std::to_string(back.size()) + " called back from draining";
  world_.record(event("up", std::move(text)), std::move(t), [this, d, left, total, back, alive = std::weak_ptr(alive_)](const Result<std::uint64_t>& written) {
    if (alive.expired()) return;
    store_error_ = written ? "" : written.error().text;
    if (!written) { running_.reset(); return; }             // not written down, not done
    if (!back.empty()) world_.drains_changed(service());
    if (left > 0) return order(total - left, total);
    decider_->applied(mono_now(), d.current, d.wanted);
    ++counts_.operations_up;
    running_.reset();
  });
}

void Scaler::order(std::uint32_t from, std::uint32_t to) {
  target_->set(to, token_, [this, from, to, alive = std::weak_ptr(alive_)](const Result<>& outcome) {
    if (!alive.expired()) finished(outcome, from, to);
  });
}

// The target wants what was agreed and runs fewer (an order that a crash cut short, a container that ended): it is told again. How soon
// it replaces what keeps ending is its own matter; what it says is wanted beyond that is not for us to make true.
void Scaler::repair() {
  const auto counts = pool_.counts();
  if (observes() || running_ || agreed_ != counts.wanted_of_target || counts.live >= *agreed_ || mono_now() < next_repair_) return;
  next_repair_ = mono_now() + repair_period;
  target_->set(*agreed_, token_, [this, alive = std::weak_ptr(alive_)](const Result<>& outcome) {
    if (alive.expired() || outcome) return;
    daemon::log::warning("the target runs fewer than it wants", {{"service", name()}, {"reason", outcome.error().text}});
  });
}

void Scaler::finished(const Result<>& outcome, std::uint32_t from, std::uint32_t to) {
  store::Transaction t;
  t.then.push_back(store::remove_of(key("intent")));
  if (outcome) {
    decider_->applied(mono_now(), from, to);
    agreed_ = to;
    ++counts_.operations_up;
    world_.record(event("done", "the target has taken the order for " + replicas_text(to)), std::move(t), {});
    running_.reset();
    next_ = mono_now() + std::min<Duration>(options_.interval, std::chrono::seconds(1));   // see them start
  } else {
    ++counts_.failures;
    world_.record(event("failed", outcome.error().text), std::move(t), {});
    daemon::log::warning("the target did not take the order", {{"service", name()}, {"reason", outcome.error().text}});
    running_->state = outcome.error().kind == ErrorKind::timeout ? "timed_out" : "failed";
    running_->error = outcome.error().text;
  }
  world_.decided(*this);
}

void Scaler::shrink(const scale::Decision& d, std::uint32_t fewer) {
  const auto ids = pool_.choose(fewer, mono_now());
  if (ids.empty()) return;
  const auto reason = std::to_string(d.current) + " to " + std::to_string(d.wanted) + ": " + std::string(to_string(d.winner)) + ", " + std::string(meaning(d.winner));
  start_drains(ids, scale::DrainKind::spare, options_.drain_timeout, reason);
  decider_->applied(mono_now(), d.current, d.wanted);
  ++counts_.operations_down;
}

void Scaler::set_by_hand(std::uint32_t replicas, Duration hold) {
  by_hand_ = replicas;
  if (hold > Duration{}) by_hand_until_ = mono_now() + hold;
  else by_hand_until_.reset();
  decide_soon();
}

void Scaler::freeze(Duration hold) {
  if (hold > Duration{}) frozen_until_ = mono_now() + hold;
  else frozen_until_.reset();
  decide_soon();
}

void Scaler::pause(bool up, bool down) {
  pause_up_ = up;
  pause_down_ = down;
  decide_soon();
}

}  // namespace nlb::tool
