#include "libnlb/rollout/rollout.hpp"

#include <algorithm>
#include <utility>

namespace nlb::rollout {
namespace {

SipKey salt_from(std::uint64_t seed) {
  SipKey salt{};
  for (std::size_t i = 0; i < salt.size(); ++i) salt[i] = static_cast<std::uint8_t>(mix64(seed + 1 + i / 8) >> (8 * (i % 8)));
  return salt;
}

// Half of the first step for some seconds: a version that fails at once hurts half as many, and is found as fast.
void insert_first_contact(Plan& plan) {
  const auto first = plan.steps.front();
  if (plan.first_contact <= Duration{0} || first.weight < 2 || first.weight == weight_max || first.bake <= plan.first_contact) return;
  plan.steps.front().bake -= plan.first_contact;
  plan.steps.insert(plan.steps.begin(), {first.weight / 2, plan.first_contact, true});
}

}  // namespace

Rollout::Rollout(std::string service, std::string stable, std::uint64_t epoch) {
  state_.service = std::move(service);
  state_.plan.stable = std::move(stable);
  state_.epoch = epoch;
  state_.sites.resize(1);
}

Split Rollout::split(std::size_t site) const {
  return {state_.epoch, state_.split_version, state_.plan.stable, state_.plan.candidate, weight(site), state_.salt,
          state_.plan.drain, state_.plan.drain_deadline};
}

std::int64_t Rollout::second(MonoTime now) const { return std::chrono::duration_cast<std::chrono::seconds>(now - began_).count(); }

Duration Rollout::bake_left(MonoTime now) const {
  const bool running = state_.phase == Phase::baking && state_.step < state_.plan.steps.size();
  return running ? std::max(Duration{0}, state_.plan.steps[state_.step].bake - (now - bake_since_)) : Duration{0};
}

void Rollout::enter(MonoTime now, Phase phase, std::string reason) {
  if (phase != state_.phase) phase_since_ = now;
  state_.phase = phase;
  if (!reason.empty()) state_.reason = std::move(reason);
}

void Rollout::publish_all(Decision& decision) const {
  for (std::size_t i = 0; i < state_.sites.size(); ++i) decision.actions.push_back({ActionKind::publish_split, i, weight(i), {}});
}

void Rollout::set_weights(std::uint32_t weight, Decision& decision) {
  for (auto& site : state_.sites) site.weight = site.rolled_back ? 0 : weight;
  ++state_.split_version;
  publish_all(decision);
}

void Rollout::finish(std::string outcome, Decision& decision) {
  if (!state_.history.empty()) {
    state_.history.back().outcome = outcome;
    state_.history.back().why = state_.reason;
  }
  for (std::size_t i = 0; i < state_.sites.size(); ++i) decision.actions.push_back({ActionKind::release_capacity, i, 0, {}});
  decision.actions.push_back({ActionKind::announce, 0, 0, outcome});
}

void Rollout::enter_step(MonoTime now, Decision& decision) {
  step_since_ = now;
  asked_ahead_ = false;
  for (std::size_t i = 0; i < state_.sites.size(); ++i)
    decision.actions.push_back({ActionKind::ask_capacity, i, state_.plan.steps[state_.step].weight, {}});
}

// Follows one row of the table and does what belongs to arriving there. Precondition: the row exists.
void Rollout::go(MonoTime now, Input input, std::string reason, Decision& decision) {
  const auto from = state_.phase, to = *next_phase(from, input);
  decision.journal = true;
  enter(now, to, std::move(reason));
  switch (to) {
    case Phase::holding:
      if (!is_running(from)) set_weights(0, decision);   // a new rollout: name its versions before they get weights
      enter_step(now, decision);
      break;
    case Phase::shifting: set_weights(state_.plan.steps[state_.step].weight, decision); break;
    case Phase::baking:
      if (from == Phase::shifting) bake_since_ = now;
      break;
    case Phase::promoting:
      for (auto& site : state_.sites) site.rolled_back = false;
      set_weights(weight_max, decision);
      break;
    case Phase::promoted: finish("promoted", decision); break;
    case Phase::rolling_back:
      if (from != Phase::rolling_back) set_weights(0, decision);
      break;
    case Phase::rolled_back: finish("rolled_back", decision); break;
    case Phase::idle:   // the old version is no longer kept warm
      decision.actions.push_back({ActionKind::retire_version, 0, 0, state_.plan.stable});
      state_.plan.stable = std::exchange(state_.plan.candidate, std::string());
      set_weights(0, decision);
      break;
    case Phase::waiting_for_traffic:
    case Phase::undecided:
    case Phase::paused:
    case Phase::frozen: break;
  }
}

void Rollout::begin(MonoTime now, const Command& command, Plan plan) {
  insert_first_contact(plan);
  state_.plan = std::move(plan);
  state_.step = 0;
  state_.salt = salt_from(command.salt_seed);
  state_.sites.assign(state_.plan.sites.size(), SavedSite{});
  sites_.assign(state_.plan.sites.size(), Judge(state_.plan.judge));
  verdicts_.assign(sites_.size(), Verdict{});
  began_ = phase_since_ = step_since_ = bake_since_ = now;
  state_.history.push_back({++state_.revision, state_.plan.stable, state_.plan.candidate, std::string(to_string(command.verb)), {}, {}});
  if (state_.history.size() > history_max) state_.history.erase(state_.history.begin());
}

Result<Decision> Rollout::refuse(Input verb) const {
  return fail(ErrorKind::refused, std::string(to_string(verb)) + " is refused: the rollout of " + state_.service + " is " +
                                      std::string(to_string(state_.phase)) + ": legal now: " + list_verbs(state_.phase));
}

// The plan that a verb begins; who has the traffic now is known here, not by the caller.
Result<Plan> Rollout::plan_for(const Command& command) const {
  auto plan = command.verb == Input::retry || command.verb == Input::undo ? state_.plan : command.plan;
  plan.stable = serving();
  if (command.verb == Input::retry && plan.steps.front().first_contact) {   // as it was before begin() put it in
    plan.steps[1].bake += plan.steps[0].bake;
    plan.steps.erase(plan.steps.begin());
  }
  if (command.verb == Input::undo) {
    const auto found = std::find_if(state_.history.begin(), state_.history.end(), [&](const auto& r) { return r.number == command.revision; });
    if (found == state_.history.end())
      return fail(ErrorKind::not_found, "undo is refused: revision " + std::to_string(command.revision) + " isn't in the history: see history");
    plan.candidate = found->serving();
  }
  if (command.verb == Input::switch_over || command.verb == Input::undo) plan.steps = {{weight_max, Duration{0}}};
  if (const auto good = check(plan); !good) return tl::unexpected(good.error());
  return plan;
}

// On to the next step above the present weight, whatever this one still waits for; after the last one it is the whole promotion.
Input Rollout::promoted_by(Input verb) {
  if (verb != Input::promote) return verb;
  const auto& steps = state_.plan.steps;
  std::uint32_t present = 0;
  for (const auto& site : state_.sites) present = std::max(present, site.weight);
  const auto next = std::find_if(steps.begin(), steps.end(), [&](const Step& step) { return step.weight > present; });
  if (next == steps.end() || next->weight == weight_max) return Input::promote_full;
  state_.step = static_cast<std::size_t>(next - steps.begin());
  return verb;
}

Error other_revision(std::string_view verb, std::uint64_t in_force, std::uint64_t expected) {
  return {ErrorKind::conflict, std::string(verb) + " is refused: revision is " + std::to_string(in_force) + ", not " + std::to_string(expected) +
                                   ": look again, then repeat"};
}

Result<Decision> Rollout::command(MonoTime now, const Command& command) {
  if (command.expected_revision && *command.expected_revision != state_.revision)
    return tl::unexpected(other_revision(to_string(command.verb), state_.revision, *command.expected_revision));
  if (!is_verb(command.verb) || !next_phase(state_.phase, command.verb)) return refuse(command.verb);
  Decision decision;
  const bool begins = command.verb == Input::start || command.verb == Input::switch_over || command.verb == Input::undo || command.verb == Input::retry;
  if (begins) {
    auto plan = plan_for(command);
    if (!plan) return tl::unexpected(plan.error());
    begin(now, command, std::move(*plan));
  }
  if (command.verb == Input::set_weight) {
    if (command.weight >= weight_max)
      return fail(ErrorKind::usage, "set-weight is refused: it must be below 100 %: use promote");
    set_weights(command.weight, decision);
  }
  if (command.verb == Input::resume) step_since_ = now;   // a new deadline
  go(now, promoted_by(command.verb), std::string(to_string(command.verb)) + " by command", decision);
  return decision;
}

bool Rollout::open(std::optional<std::string> gate) {
  if (gate) waits_for_ = std::move(*gate);
  return !gate;
}

std::vector<Split> Rollout::splits() const {
  std::vector<Split> all;
  for (std::size_t i = 0; i < state_.sites.size(); ++i) all.push_back(split(i));
  return all;
}

void Rollout::site_alarm(MonoTime now, std::size_t site, const Verdict& verdict, Decision& decision) {
  const auto where = state_.plan.sites[site].empty() ? "" : " at " + state_.plan.sites[site];
  const auto reason = std::string(to_string(verdict.finding)) + where + ": " + verdict.text;
  const bool freezes = state_.plan.on_group_alarm == OnGroupAlarm::freeze && state_.sites.size() > 1;
  if (!freezes || !next_phase(state_.phase, Input::site_alarmed)) return go(now, Input::alarmed, reason, decision);
  state_.sites[site].rolled_back = true;
  state_.sites[site].weight = 0;
  ++state_.split_version;
  publish_all(decision);
  const bool all_back = std::all_of(state_.sites.begin(), state_.sites.end(), [](const auto& each) { return each.rolled_back; });
  go(now, all_back ? Input::alarmed : Input::site_alarmed, reason, decision);
}

// True when an alarm decided this step.
bool Rollout::judge_sites(MonoTime now, std::span<const SiteNews> sites, Decision& decision) {
  for (std::size_t i = 0; i < std::min(sites.size(), sites_.size()); ++i) {
    for (const auto& sample : sites[i].samples) sites_[i].book(sample);
    if (state_.sites[i].rolled_back) continue;
    verdicts_[i] = sites_[i].verdict(weight(i) > 0 ? sites[i].health : Health{});
    const auto finding = verdicts_[i].finding;
    if (finding == Finding::eject_replica) {
      decision.journal = true;
      decision.actions.push_back({ActionKind::eject_replica, i, 0, verdicts_[i].replica});
      decision.actions.push_back({ActionKind::announce, i, 0, verdicts_[i].text});
    }
    if (finding != Finding::worse && finding != Finding::hard_stop) continue;
    site_alarm(now, i, verdicts_[i], decision);
    return true;
  }
  return false;
}

bool Rollout::overdue(MonoTime now, Decision& decision) {
  if (now - step_since_ < state_.plan.deadline || !next_phase(state_.phase, Input::overdue)) return false;
  const auto reason = "undecided at the step's deadline of " + format_duration(state_.plan.deadline) + ": waits for " + waits_for_;
  if (state_.plan.on_inconclusive == OnInconclusive::rollback) go(now, Input::rollback, reason, decision);
  else go(now, Input::overdue, reason, decision);
  return true;
}

void Rollout::ask_ahead(Decision& decision) {
  if (std::exchange(asked_ahead_, true)) return;
  const auto& steps = state_.plan.steps;
  const auto next = state_.step + 1 < steps.size() ? steps[state_.step + 1].weight : weight_max;
  for (std::size_t i = 0; i < state_.sites.size(); ++i) decision.actions.push_back({ActionKind::ask_capacity, i, next, {}});
}

void Rollout::bake(MonoTime now, std::span<const SiteNews> sites, Decision& decision) {
  const auto& step = state_.plan.steps[state_.step];
  waits_for_ = "the bake time";
  if (now - bake_since_ < step.bake) return;
  bool starving = false;
  for (const auto& verdict : verdicts_) {
    if (verdict.finding == Finding::suspicious || verdict.finding == Finding::eject_replica) {
      waits_for_ = "the judge: the evidence speaks against the canary, but not enough to blame it";
      return;
    }
    starving |= verdict.finding == Finding::starving && !step.first_contact;
  }
  if (starving) {
    waits_for_ = "traffic";
    if (state_.phase == Phase::baking) go(now, Input::starved, {}, decision);
    return;
  }
  if (state_.phase == Phase::waiting_for_traffic) return go(now, Input::fed, {}, decision);
  if (!open(wait_for_room(sites, state_.plan.candidate))) return ask_ahead(decision);
  const bool last = state_.step + 1 == state_.plan.steps.size() || state_.plan.steps[state_.step + 1].weight == weight_max;
  if (last) return go(now, Input::completed, "every step passed", decision);
  ++state_.step;
  go(now, Input::passed, {}, decision);
}

void Rollout::advance(MonoTime now, std::span<const SiteNews> sites, Decision& decision) {
  waits_for_.clear();
  switch (state_.phase) {
    case Phase::holding:
      if (!state_.plan.needs_capacity || open(wait_for_capacity(sites, state_.plan.steps[state_.step].weight))) return go(now, Input::capacity_ready, {}, decision);
      break;
    case Phase::shifting:
      if (open(wait_for_forwarders(sites, splits(), true))) return go(now, Input::applied, {}, decision);
      break;
    case Phase::baking:
    case Phase::waiting_for_traffic: return bake(now, sites, decision);
    case Phase::promoting:
      if (open(wait_for_forwarders(sites, splits(), false))) return go(now, Input::applied, {}, decision);
      break;
    case Phase::rolling_back:
      if (open(wait_for_forwarders(sites, splits(), false)) || now - phase_since_ >= state_.plan.settle) return go(now, Input::applied, {}, decision);
      break;
    case Phase::promoted:
      if (now - phase_since_ >= state_.plan.keep_warm) return go(now, Input::kept, {}, decision);
      break;
    case Phase::idle:
    case Phase::undecided:
    case Phase::paused:
    case Phase::frozen:
    case Phase::rolled_back: break;
  }
}

Decision Rollout::step(MonoTime now, std::span<const SiteNews> sites) {
  Decision decision;
  if (is_judged(state_.phase) && judge_sites(now, sites, decision)) return decision;
  // Several rows may follow in one second (passed, capacity ready, applied); each waits for its own journal record only in order.
  for (auto before = Phase::idle; before != state_.phase;) {
    before = state_.phase;
    advance(now, sites, decision);
  }
  overdue(now, decision);
  return decision;
}

Decision Rollout::resume(MonoTime now, std::uint64_t epoch) {
  state_.epoch = epoch;
  ++state_.split_version;   // the same weights under a new epoch are a new intent: who compares contents must not take it for the old one
  bake_since_ = now;
  Decision decision{true, {}};
  publish_all(decision);
  if (is_running(state_.phase) && state_.step < state_.plan.steps.size())
    for (std::size_t i = 0; i < state_.sites.size(); ++i)
      decision.actions.push_back({ActionKind::ask_capacity, i, state_.plan.steps[state_.step].weight, {}});
  return decision;
}

Decision Rollout::tolerate(double ratio) {
  ratio = std::max(ratio, state_.plan.judge.tolerated_ratio);   // a person may tolerate more
  for (auto& judge : sites_) judge.tolerate(ratio);
  state_.plan.judge.tolerated_ratio = ratio;
  return {true, {{ActionKind::announce, 0, 0, "the A/A test alarmed too often: tolerated ratio is now " + std::to_string(ratio)}}};
}

std::vector<std::string> Rollout::explain() const {
  std::vector<std::string> lines;
  for (std::size_t i = 0; i < sites_.size(); ++i)
    for (auto& line : sites_[i].explain()) lines.push_back((state_.plan.sites[i].empty() ? "" : state_.plan.sites[i] + ": ") + line);
  lines.push_back("phase: " + std::string(to_string(state_.phase)) + (waits_for_.empty() ? "" : ", waits for " + waits_for_));
  if (!state_.reason.empty()) lines.push_back("last change: " + state_.reason);
  return lines;
}

Rollout::State Rollout::save(MonoTime now) const {
  auto saved = state_;
  saved.run = now - began_;
  saved.in_phase = now - phase_since_;
  saved.in_step = now - step_since_;
  saved.baked = now - bake_since_;
  for (std::size_t i = 0; i < std::min(sites_.size(), saved.sites.size()); ++i) saved.sites[i].judge = sites_[i].save();
  return saved;
}

Rollout Rollout::restore(State state, MonoTime now) {
  Rollout made;
  made.state_ = std::move(state);
  made.began_ = now - made.state_.run;
  made.phase_since_ = now - made.state_.in_phase;
  made.step_since_ = now - made.state_.in_step;
  made.bake_since_ = now - made.state_.baked;
  if (made.state_.revision == 0) return made;   // nothing was ever rolled out
  made.verdicts_.resize(made.state_.sites.size());
  for (const auto& site : made.state_.sites) {
    made.sites_.emplace_back(made.state_.plan.judge);
    made.sites_.back().restore(site.judge);
  }
  return made;
}

}  // namespace nlb::rollout
