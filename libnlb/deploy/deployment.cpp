#include "libnlb/deploy/deployment.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "libnlb/deploy/news.hpp"
#include "libnlb/rollout/journal.hpp"

namespace nlb::deploy {
namespace {

using rollout::Phase;

std::uint64_t to_ms(Duration d) { return d > Duration{0} ? static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(d).count()) : 0; }

v1::OldSessions old_sessions(rollout::Drain drain) {
  switch (drain) {
    case rollout::Drain::stay: return v1::OLD_SESSIONS_STAY;
    case rollout::Drain::deadline: return v1::OLD_SESSIONS_DEADLINE;
    case rollout::Drain::reset: return v1::OLD_SESSIONS_RESET;
  }
  return v1::OLD_SESSIONS_STAY;
}

template <class Parts>
void add_parts(Parts* parts, const Deployment& deployment, const rollout::Split& split) {
  const auto add = [&](const std::string& version, std::uint32_t weight) {
    auto& part = *parts->Add();
    part.set_version(version);
    part.set_colour(deployment.colour(version));
    part.set_weight_per_10000(weight);
  };
  add(split.stable, split.stable_weight());
  if (!split.candidate.empty()) add(split.candidate, split.candidate_weight);
}

void add_evidence(v1::Rollout& message, const rollout::Rollout& rollout) {
  if (rollout.revision() == 0) return;
  for (std::size_t site = 0; site < rollout.plan().sites.size(); ++site) {
    const auto& judge = rollout.judge(site);
    for (std::size_t i = 0; i < judge.options().signals.size(); ++i) {
      const auto& evidence = judge.evidence(i);
      const auto& name = rollout.plan().sites[site];
      auto& made = *message.add_evidence();
      made.set_metric((name.empty() ? "" : name + "/") + judge.options().signals[i].name);
      made.set_e_value(std::exp(evidence.log_e()));
      made.set_alpha(std::exp(-evidence.log_alarm()));
      made.set_canary_attempts(evidence.total().canary_attempts);
      made.set_canary_bad(evidence.total().canary_bad);
      made.set_stable_attempts(evidence.total().stable_attempts);
      made.set_stable_bad(evidence.total().stable_bad);
      made.set_canary_bad_raw(judge.canary_raw(i));
      made.set_stable_bad_raw(judge.stable_raw(i));
      made.set_canary_replicas_bad(static_cast<std::uint32_t>(judge.replicas_bad(i)));
      if (i == 0) made.set_exposure_needed(judge.exposure_wanted());
      made.set_alarm(evidence.alarm());
    }
  }
}

void add_version(v1::DeployStatus& status, const Deployment& deployment, const News& news, const std::string& version, std::uint32_t weight,
                 double share, MonoTime now) {
  const auto view = news.view(deployment.service(), version, now);
  auto& made = *status.add_versions();
  made.set_version(version);
  made.set_colour(deployment.colour(version));
  made.set_weight_per_10000(weight);
  made.set_measured_share(share);
  made.set_modules(view.modules);
  made.set_modules_routable(view.modules_routable);
  made.set_sessions_active(view.sessions_active);
  made.set_attempts_per_second(view.attempts_per_second);
  made.set_failures_per_second(view.failures_per_second);
  made.set_failing_clients_per_second(view.failing_clients_per_second);
  made.set_first_byte_p50_us(view.first_byte_p50_us);
  made.set_first_byte_p99_us(view.first_byte_p99_us);
}

// What a person should know beyond the numbers; the gravest thing only.
std::string warning_of(const Deployment& deployment, const News& news, MonoTime now) {
  const auto live = news.forwarders(deployment.service(), now);
  if (live.empty()) return "no forwarder is listening: nothing carries out the split";
  for (const auto& applied : live)
    if (!applied.refused().empty()) return "forwarder " + applied.forwarder() + " refuses the split: " + applied.refused();
  std::uint64_t clients = 0;
  for (const auto& applied : live) clients += applied.clients();
  const auto split = deployment.rollout.split();
  const double w = static_cast<double>(split.candidate_weight) / rollout::weight_max;
  if (clients > 0 && w > 0 && w < 1 && static_cast<double>(clients) * std::min(w, 1 - w) < 5)
    return "the share is lumpy: only " + std::to_string(clients) + " clients";
  return {};
}

}  // namespace

std::string Deployment::colour(const std::string& version) const {
  const auto found = colours.find(version);
  return found == colours.end() ? std::string() : found->second;
}

void Deployment::paint(const std::string& candidate, const std::string& said) {
  const auto serving = rollout.serving();
  const auto kept = colour(serving).empty() ? std::string("blue") : colour(serving);
  colours = {{serving, kept}};
  if (candidate != serving) colours[candidate] = !said.empty() ? said : kept == "blue" ? "green" : "blue";
}

std::string to_json(const Deployment& deployment, MonoTime now) {
  const auto aa = deployment.aa.save();
  const nlohmann::json json = {
      {"rollout", nlohmann::json::parse(rollout::to_json(deployment.rollout.save(now)))},
      {"rollout_id", deployment.rollout_id},
      {"started_unix_ms", deployment.started_unix_ms},
      {"per_connection", deployment.per_connection},
      {"ejected", deployment.ejected},
      {"colours", deployment.colours},
      {"ended", deployment.ended},
      {"aa", {{"trials", aa.trials}, {"alarms", aa.alarms}, {"trials_at_ratio", aa.trials_at_ratio}, {"alarms_at_ratio", aa.alarms_at_ratio},
              {"tolerated_ratio", aa.tolerated_ratio}, {"last_alarm", aa.last_alarm}}}};
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

Result<Deployment> deployment_from_json(std::string_view text, MonoTime now) {
  try {
    const auto json = nlohmann::json::parse(text);
    auto state = rollout::from_json(json.at("rollout").dump());
    if (!state) return tl::unexpected(state.error());
    Deployment made;
    made.rollout = rollout::Rollout::restore(std::move(*state), now);
    json.at("rollout_id").get_to(made.rollout_id);
    json.at("started_unix_ms").get_to(made.started_unix_ms);
    json.at("per_connection").get_to(made.per_connection);
    json.at("ejected").get_to(made.ejected);
    json.at("colours").get_to(made.colours);
    json.at("ended").get_to(made.ended);
    const auto& aa = json.at("aa");
    rollout::JudgeOptions options = made.rollout.plan().judge;
    options.signals = rollout::default_signals();
    made.aa = rollout::AaTest::restore({aa.at("trials"), aa.at("alarms"), aa.at("trials_at_ratio"), aa.at("alarms_at_ratio"), aa.at("tolerated_ratio"), aa.at("last_alarm")},
                                       std::move(options));
    return made;
  } catch (const nlohmann::json::exception& e) {
    return fail(ErrorKind::bad_input, std::string("a service's record can't be read: ") + e.what() + ": restore the store from a copy");
  }
}

v1::Split split_message(const Deployment& deployment) {
  const auto& rollout = deployment.rollout;
  const auto split = rollout.split();
  v1::Split message;
  message.set_service(rollout.service());
  message.set_revision(split.version);
  add_parts(message.mutable_parts(), deployment, split);
  message.set_salt(split.salt.data(), split.salt.size());
  message.set_sticky(deployment.per_connection ? v1::STICKY_CONNECTION : v1::STICKY_CLIENT);
  if (is_running(rollout.phase())) message.set_rollout_id(deployment.rollout_id);
  message.set_phase(std::string(to_string(rollout.phase())));
  message.set_old_sessions(old_sessions(split.drain));
  message.set_old_sessions_deadline_ms(static_cast<std::uint32_t>(to_ms(split.drain_deadline)));
  for (const auto& module : deployment.ejected) message.add_ejected_modules(module);
  const auto& sites = rollout.plan().sites;
  if (sites.size() == 1 && sites.front().empty()) return message;
  for (std::size_t i = 0; i < sites.size(); ++i) {
    auto& site = *message.add_sites();
    site.set_site(sites[i]);
    add_parts(site.mutable_parts(), deployment, rollout.split(i));
  }
  return message;
}

v1::Hold hold_message(const Deployment& deployment, std::uint32_t weight, std::uint32_t stable_replicas, Duration lease) {
  const auto& plan = deployment.rollout.plan();
  v1::Hold message;
  message.set_service(deployment.service());
  message.set_revision(deployment.rollout.revision());
  message.set_lease_ms(static_cast<std::uint32_t>(to_ms(lease)));
  message.set_reason("rollout of " + plan.candidate + " at " + rollout::format_percent(weight) + " %");
  const auto add = [&](const std::string& version, std::uint32_t replicas, std::uint32_t for_weight) {
    auto& part = *message.add_parts();
    part.set_version(version);
    part.set_colour(deployment.colour(version));
    part.set_replicas_min(replicas);
    part.set_weight_per_10000(for_weight);
  };
  add(plan.stable, stable_replicas, rollout::weight_max);   // a rollback must find all of it
  const auto needed = (std::uint64_t{stable_replicas} * weight + rollout::weight_max - 1) / rollout::weight_max;
  add(plan.candidate, std::max(1u, static_cast<std::uint32_t>(needed)), weight);
  return message;
}

v1::Rollout rollout_message(const Deployment& deployment, const News& news, MonoTime now) {
  const auto& rollout = deployment.rollout;
  const auto& plan = rollout.plan();
  const auto split = rollout.split();
  v1::Rollout message;
  message.set_service(rollout.service());
  message.set_rollout_id(deployment.rollout_id);
  message.set_revision(rollout.revision());
  message.set_state(std::string(to_string(rollout.phase())));
  const bool at_once = plan.steps.size() == 1 && plan.steps.front().weight == rollout::weight_max;
  message.set_strategy(plan.candidate.empty() ? "" : at_once ? "blue_green" : "canary");
  message.set_stable_version(plan.stable);
  message.set_canary_version(plan.candidate);
  for (const auto& step : plan.steps) message.add_steps_per_10000(step.weight);
  message.set_step_index(static_cast<std::uint32_t>(rollout.step_index()));
  message.set_weight_per_10000(rollout.weight());
  message.set_measured_share(news.measured_share(rollout.service(), split, now));
  if (rollout.step_index() < plan.steps.size()) {
    const auto bake = plan.steps[rollout.step_index()].bake;
    message.set_step_minimum_ms(to_ms(bake));
    message.set_step_elapsed_ms(rollout.phase() == Phase::baking ? to_ms(bake - rollout.bake_left(now)) : rollout.phase() == Phase::waiting_for_traffic ? to_ms(bake) : 0);
  }
  message.set_waiting_for(rollout.waits_for());
  message.set_reason(rollout.reason());
  add_evidence(message, rollout);
  for (const auto& name : news.lagging(rollout.service(), split, now)) message.add_forwarders_lagging(name);
  for (const auto verb : legal_verbs(rollout.phase())) message.add_legal_verbs(std::string(to_string(verb)));
  message.set_started_unix_ms(deployment.started_unix_ms);
  message.set_elapsed_ms(static_cast<std::uint64_t>(std::max<std::int64_t>(0, rollout.second(now))) * 1000);
  return message;
}

std::string outcome_of(const rollout::Rollout& rollout) {
  if (rollout.revision() == 0 || rollout.history().empty()) return {};
  switch (rollout.phase()) {
    case Phase::paused:
    case Phase::undecided:
    case Phase::frozen: return "paused";
    case Phase::promoted:
    case Phase::rolled_back:
    case Phase::idle: return rollout.history().back().outcome;
    default: return {};
  }
}

v1::DeployStatus status_message(const Deployment& deployment, const News& news, MonoTime now) {
  const auto& rollout = deployment.rollout;
  const auto split = rollout.split();
  v1::DeployStatus status;
  status.set_service(rollout.service());
  status.set_revision(rollout.revision());
  status.set_epoch(split.epoch);
  *status.mutable_split() = split_message(deployment);
  if (rollout.revision() > 0) *status.mutable_rollout() = rollout_message(deployment, news, now);
  const double share = news.measured_share(rollout.service(), split, now);
  const bool measured = !news.forwarders(rollout.service(), now).empty();
  add_version(status, deployment, news, split.stable, split.stable_weight(), measured ? 1 - share : 0, now);
  if (!split.candidate.empty()) add_version(status, deployment, news, split.candidate, split.candidate_weight, share, now);
  for (auto& applied : news.forwarders(rollout.service(), now)) *status.add_forwarders() = std::move(applied);
  for (const auto verb : legal_verbs(rollout.phase())) status.add_legal_verbs(std::string(to_string(verb)));
  status.set_ended(!is_running(rollout.phase()));
  status.set_outcome(outcome_of(rollout));
  status.set_warning(warning_of(deployment, news, now));
  status.set_aa_trials(deployment.aa.trials());
  status.set_aa_alarm_rate(deployment.aa.alarm_rate());
  status.set_aa_tolerated_ratio(deployment.aa.tolerated_ratio());
  status.set_aa_running(deployment.aa.running());
  return status;
}

}  // namespace nlb::deploy
