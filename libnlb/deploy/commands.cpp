// The controller's verbs: from a request to the rollout's command, to the answer that is kept.
#include <algorithm>

#include "libnlb/deploy/controller.hpp"

namespace nlb::deploy {
namespace {

using rollout::Input;
using rollout::Phase;

Duration ms(std::uint32_t value) { return std::chrono::milliseconds(value); }

Result<std::vector<rollout::Step>> steps_of(const v1::StartCanaryRequest& request) {
  if (request.steps_per_10000_size() == 0) {
    auto ladder = rollout::default_ladder();
    if (request.every_ms() > 0)
      for (auto& step : ladder) step.bake = ms(request.every_ms());
    return ladder;
  }
  if (request.step_every_ms_size() > 0 && request.step_every_ms_size() != request.steps_per_10000_size())
    return fail(ErrorKind::usage, "step_every_ms: " + std::to_string(request.step_every_ms_size()) + " times for " +
                                      std::to_string(request.steps_per_10000_size()) + " steps: give one for each, or none");
  std::vector<rollout::Step> steps;
  for (int i = 0; i < request.steps_per_10000_size(); ++i) {
    const auto weight = request.steps_per_10000(i);
    if (weight == 0 || weight > rollout::weight_max)
      return fail(ErrorKind::usage, "steps_per_10000: " + std::to_string(weight) + " is not from 1 to 10000: correct it");
    steps.push_back({weight, ms(request.step_every_ms_size() > 0 ? request.step_every_ms(i) : request.every_ms())});
  }
  return steps;
}

rollout::Drain drain_of(v1::OldSessions wanted) {
  switch (wanted) {
    case v1::OLD_SESSIONS_DEADLINE: return rollout::Drain::deadline;
    case v1::OLD_SESSIONS_RESET: return rollout::Drain::reset;
    default: return rollout::Drain::stay;
  }
}

Result<> check_head(const v1::CommandHead& head, const std::string& service) {
  if (head.request_id().empty() || head.request_id().size() > 100)
    return fail(ErrorKind::usage, "head.request_id: 1 to 100 bytes made by the client are required: make a UUID for each command");
  if (!is_service_name(service))
    return fail(ErrorKind::usage, "service: '" + service.substr(0, 40) + "' is no name: printable, without spaces and slashes, up to 200 characters");
  return {};
}

Result<> check_version(const std::string& version) {
  if (!is_service_name(version))
    return fail(ErrorKind::usage, "version: '" + version.substr(0, 40) + "' is no name: printable, without spaces and slashes, up to 200 characters");
  return {};
}

std::string reason_of(const v1::CommandHead& head) { return head.reason().empty() ? "" : ": " + head.reason(); }

}  // namespace

rollout::Plan Controller::plan_of(const std::string& to) const {
  rollout::Plan plan;
  plan.candidate = to;
  plan.keep_warm = settings_.keep_warm;
  plan.judge = settings_.judge;
  plan.judge.signals = rollout::default_signals();
  return plan;
}

v1::CommandReply Controller::reply_for(const Deployment& deployment) const {
  v1::CommandReply reply;
  reply.set_accepted(true);
  reply.set_revision(deployment.rollout.revision());
  reply.set_id(deployment.rollout_id);
  for (const auto verb : legal_verbs(deployment.rollout.phase())) reply.add_legal_verbs(std::string(to_string(verb)));
  return reply;
}

std::optional<v1::CommandReply> Controller::answered(const v1::CommandHead& head) const {
  const auto found = answers_.find(head.request_id());
  if (found == answers_.end()) return std::nullopt;
  auto reply = found->second;
  reply.set_repeated_request(true);
  return reply;
}

// A refusal is an answer too, and is kept like one: a repeat must not be accepted later, behind its sender's back.
Controller::Reply Controller::refused(const v1::CommandHead& head, const std::string& service, const Error& why) {
  v1::CommandReply reply;
  const auto found = deployments_.find(service);
  if (found != deployments_.end()) reply = reply_for(found->second);
  reply.set_accepted(false);
  reply.set_refused(why.text);
  store::Transaction transaction;
  remember(head.request_id(), reply, transaction);
  if (auto kept = commit(std::move(transaction)); !kept) return tl::unexpected(kept.error());
  if (answer_order_.size() >= answers_max) {
    answers_.erase(answer_order_.front());
    answer_order_.pop_front();
  }
  answer_order_.push_back(head.request_id());
  answers_[head.request_id()] = reply;
  return reply;
}

Controller::Reply Controller::run(const v1::CommandHead& head, const std::string& service, const rollout::Command& wanted, const std::string& text,
                                  MonoTime now, const std::function<void(Deployment&)>& before) {
  auto found = find(service);
  if (!found) return tl::unexpected(found.error());
  if (pending()) return fail(ErrorKind::unavailable, "the store refuses changes, and one waits already: nothing can be decided: see the controller's log");
  auto& deployment = **found;
  const auto backup = deployment;
  auto command = wanted;
  if (head.has_expect_revision()) command.expected_revision = head.expect_revision();
  const bool begins = command.verb == Input::start || command.verb == Input::switch_over || command.verb == Input::undo || command.verb == Input::retry;
  if (begins && is_running(deployment.rollout.phase())) {
    const auto& plan = deployment.rollout.plan();
    return refused(head, service, {ErrorKind::refused, std::string(to_string(command.verb)) + " is refused: a rollout of " + service + " from " + plan.stable +
                                                           " to " + plan.candidate + " is " + std::string(to_string(deployment.rollout.phase())) + ": legal now: " +
                                                           rollout::list_verbs(deployment.rollout.phase())});
  }
  if (begins) command.plan.needs_capacity = news_.scaled(service);
  if (before) before(deployment);
  auto decision = deployment.rollout.command(now, command);
  if (!decision) {
    deployment = backup;
    const auto kind = decision.error().kind;
    if (kind == ErrorKind::usage) return tl::unexpected(decision.error());
    return refused(head, service, decision.error());
  }
  if (begins) {
    deployment.rollout_id = head.request_id();
    deployment.started_unix_ms = unix_ms();
    deployment.ejected.clear();
  }
  note(deployment, *decision);
  const auto answer = reply_for(deployment);
  const Line line{std::string(to_string(command.verb)), text + reason_of(head), head.actor(), head.request_id(), deployment.rollout_id, answer.revision()};
  if (auto written = write(deployment, line, &answer, now); !written) {
    deployment = backup;
    return tl::unexpected(written.error());
  }
  act(deployment, *decision);
  publish(deployment, now);
  return answer;
}

Controller::Reply Controller::init(const v1::InitRequest& request, MonoTime now) {
  const auto& head = request.head();
  if (auto good = check_head(head, request.service()); !good) return tl::unexpected(good.error());
  if (auto good = check_version(request.stable_version()); !good) return tl::unexpected(good.error());
  if (auto before = answered(head)) return *before;
  const auto known = deployments_.find(request.service());
  const auto revision = known == deployments_.end() ? 0 : known->second.rollout.revision();      // of a service that isn't there yet: 0
  if (head.has_expect_revision() && head.expect_revision() != revision)
    return refused(head, request.service(), rollout::other_revision("init", revision, head.expect_revision()));
  if (known != deployments_.end()) {
    const auto& rollout = known->second.rollout;
    const auto& serving = rollout.serving();
    if (serving == request.stable_version() && !is_running(rollout.phase())) return reply_for(known->second);
    return refused(head, request.service(), {ErrorKind::refused, "init is refused: " + request.service() + " is known, and " + serving +
                                                                     " has its traffic: use switch or canary start"});
  }
  Deployment made;
  made.rollout = rollout::Rollout(request.service(), request.stable_version(), settings_.epoch);
  made.aa = rollout::AaTest(settings_.judge);
  const auto said = news_.colour(request.service(), request.stable_version());
  made.colours[request.stable_version()] = !request.stable_colour().empty() ? request.stable_colour() : !said.empty() ? said : "blue";
  const auto answer = reply_for(made);
  const Line line{"init", request.stable_version() + " is stable" + reason_of(head), head.actor(), head.request_id(), "", 0};
  if (auto written = write(made, line, &answer, now); !written) return tl::unexpected(written.error());
  publish(deployments_[request.service()] = std::move(made), now);
  return answer;
}

Controller::Reply Controller::switch_over(const v1::SwitchRequest& request, MonoTime now) {
  if (auto good = check_head(request.head(), request.service()); !good) return tl::unexpected(good.error());
  if (auto good = check_version(request.to_version()); !good) return tl::unexpected(good.error());
  if (auto before = answered(request.head())) return *before;
  const auto healthy = news_.healthy(request.service(), request.to_version(), now);
  if (deployments_.contains(request.service()) && healthy == 0u && !request.force())
    return refused(request.head(), request.service(), {ErrorKind::refused, "switch is refused: no healthy module has version " + request.to_version() +
                                                                               ": start one, or repeat with --force"});
  rollout::Command command{Input::switch_over, plan_of(request.to_version()), 0, 0, settings_.random(), {}};
  return run(request.head(), request.service(), command, "to " + request.to_version() + " at once", now, [&](Deployment& deployment) {
    deployment.paint(request.to_version(), news_.colour(request.service(), request.to_version()));
  });
}

Controller::Reply Controller::start(const v1::StartCanaryRequest& request, MonoTime now) {
  const auto& head = request.head();
  if (auto good = check_head(head, request.service()); !good) return tl::unexpected(good.error());
  if (auto good = check_version(request.to_version()); !good) return tl::unexpected(good.error());
  if (auto before = answered(head)) return *before;
  auto plan = plan_of(request.to_version());
  auto steps = steps_of(request);
  if (!steps) return tl::unexpected(steps.error());
  plan.steps = std::move(*steps);
  if (request.step_deadline_ms() > 0) plan.deadline = ms(request.step_deadline_ms());
  if (request.on_inconclusive() == v1::ON_INCONCLUSIVE_ROLLBACK) plan.on_inconclusive = rollout::OnInconclusive::rollback;
  if (request.on_inconclusive() == v1::ON_INCONCLUSIVE_WAIT) plan.deadline = std::chrono::hours(24 * 365);
  if (request.on_group_alarm() == v1::ON_GROUP_ALARM_FREEZE) plan.on_group_alarm = rollout::OnGroupAlarm::freeze;
  if (request.alpha() > 0) plan.judge.alpha = request.alpha();
  if (request.tolerated_ratio() > 0) plan.judge.tolerated_ratio = request.tolerated_ratio();
  if (request.delta() > 0) plan.judge.delta = request.delta();
  plan.drain = drain_of(request.old_sessions());
  if (request.old_sessions_deadline_ms() > 0) plan.drain_deadline = ms(request.old_sessions_deadline_ms());
  if (request.keep_warm_ms() > 0) plan.keep_warm = ms(request.keep_warm_ms());
  if (request.has_first_contact_ms()) plan.first_contact = ms(request.first_contact_ms());
  if (request.sites_size() > 0) plan.sites.assign(request.sites().begin(), request.sites().end());
  // What the judge's own test has learned of this service's traffic holds for this rollout, too.
  if (const auto known = deployments_.find(request.service()); known != deployments_.end())
    plan.judge.tolerated_ratio = std::max(plan.judge.tolerated_ratio, known->second.aa.tolerated_ratio());
  const auto text = "to " + request.to_version() + " by steps " + rollout::format_steps(plan.steps);
  const rollout::Command command{Input::start, std::move(plan), 0, 0, settings_.random(), {}};
  auto reply = run(head, request.service(), command, text, now, [&](Deployment& deployment) {
    deployment.paint(request.to_version(), news_.colour(request.service(), request.to_version()));
    deployment.per_connection = request.sticky() == v1::STICKY_CONNECTION;
  });
  if (!reply || !reply->accepted() || !request.pause_after_start()) return reply;
  v1::CommandHead pause;
  pause.set_request_id(head.request_id() + "/pause");
  pause.set_actor(head.actor());
  if (auto paused = run(pause, request.service(), {Input::pause, {}, 0, 0, 0, {}}, "as asked at the start", now); !paused) return paused;
  return reply;
}

Controller::Reply Controller::control(const v1::ControlCanaryRequest& request, MonoTime now) {
  using Wire = v1::ControlCanaryRequest;
  if (auto good = check_head(request.head(), request.service()); !good) return tl::unexpected(good.error());
  if (auto before = answered(request.head())) return *before;
  Input verb = Input::pause;
  switch (request.verb()) {
    case Wire::VERB_PAUSE: verb = Input::pause; break;
    case Wire::VERB_RESUME: verb = Input::resume; break;
    case Wire::VERB_PROMOTE: verb = Input::promote; break;
    case Wire::VERB_PROMOTE_FULL: verb = Input::promote_full; break;
    case Wire::VERB_ABORT: verb = Input::abort; break;
    case Wire::VERB_RETRY: verb = Input::retry; break;
    default: return fail(ErrorKind::usage, "verb: none is named: pause, resume, promote, abort or retry");
  }
  return run(request.head(), request.service(), {verb, {}, 0, 0, settings_.random(), {}}, "by command", now);
}

Controller::Reply Controller::rollback(const v1::RollbackRequest& request, MonoTime now) {
  if (auto good = check_head(request.head(), request.service()); !good) return tl::unexpected(good.error());
  if (auto before = answered(request.head())) return *before;
  const auto known = deployments_.find(request.service());
  const auto to = known == deployments_.end() ? std::string() : known->second.rollout.plan().stable;
  return run(request.head(), request.service(), {Input::rollback, {}, 0, 0, 0, {}}, "to " + to, now);
}

Controller::Reply Controller::set_weight(const v1::SetWeightRequest& request, MonoTime now) {
  if (auto good = check_head(request.head(), request.service()); !good) return tl::unexpected(good.error());
  if (auto before = answered(request.head())) return *before;
  const auto weight = request.canary_weight_per_10000();
  return run(request.head(), request.service(), {Input::set_weight, {}, weight, 0, 0, {}}, "to " + rollout::format_percent(weight) + " %", now);
}

Controller::Reply Controller::undo(const v1::UndoRequest& request, MonoTime now) {
  if (auto good = check_head(request.head(), request.service()); !good) return tl::unexpected(good.error());
  if (auto before = answered(request.head())) return *before;
  const auto known = deployments_.find(request.service());
  std::string to;
  if (known != deployments_.end())
    for (const auto& revision : known->second.rollout.history())
      if (revision.number == request.to_revision()) to = revision.serving();
  rollout::Command command{Input::undo, plan_of(to), 0, request.to_revision(), settings_.random(), {}};
  return run(request.head(), request.service(), command, "to revision " + std::to_string(request.to_revision()), now,
             [&](Deployment& deployment) { if (!to.empty()) deployment.paint(to, news_.colour(request.service(), to)); });
}

}  // namespace nlb::deploy
