// What the controller tells: states, history, explanations, metrics. Nothing here changes anything.
#include <algorithm>
#include <numeric>
#include <nlohmann/json.hpp>

#include "libnlb/deploy/controller.hpp"

namespace nlb::deploy {
namespace {

using nlohmann::ordered_json;

double percent(std::uint32_t weight) { return 100.0 * weight / rollout::weight_max; }

// The rules that move a rollout, in order of precedence, each with its opinion right now.
std::vector<std::string> rules_of(const rollout::Rollout& rollout, const News& news, MonoTime now) {
  std::vector<std::string> rules;
  const auto healthy = news.healthy(rollout.service(), rollout.plan().candidate, now);
  rules.push_back("healthy canary replicas: " + (healthy ? std::to_string(*healthy) : std::string("nobody reports any")));
  std::string alarms;
  for (std::size_t site = 0; site < rollout.plan().sites.size(); ++site)
    for (std::size_t i = 0; i < rollout.judge(site).options().signals.size(); ++i)
      if (rollout.judge(site).evidence(i).alarm()) alarms += (alarms.empty() ? "" : ", ") + rollout.judge(site).options().signals[i].name;
  rules.push_back("judge: " + (alarms.empty() ? std::string("no alarm") : "alarm of " + alarms));
  const auto lagging = news.lagging(rollout.service(), rollout.split(), now);
  rules.push_back("acknowledgement: " + (lagging.empty() ? std::string("every live forwarder has applied the weights") : lagging.front() + " lags"));
  for (std::size_t site = 0; site < rollout.plan().sites.size(); ++site) {
    const auto& name = rollout.plan().sites[site];
    rules.push_back((name.empty() ? "" : name + ": ") + std::string("exposure: ") + (rollout.judge(site).exposed() ? "enough" : "not enough"));
  }
  if (rollout.phase() == rollout::Phase::baking) rules.push_back("bake time: " + format_duration(std::chrono::duration_cast<std::chrono::seconds>(rollout.bake_left(now))) + " left");
  rules.push_back("phase " + std::string(to_string(rollout.phase())) + ": legal now: " + rollout::list_verbs(rollout.phase()));
  return rules;
}

}  // namespace

Result<v1::DeployStatus> Controller::get(const std::string& service, MonoTime now) const {
  const auto found = const_cast<Controller*>(this)->find(service);
  if (!found) return tl::unexpected(found.error());
  return status_message(**found, news_, now);
}

std::vector<v1::DeployStatus> Controller::list(MonoTime now) const {
  std::vector<v1::DeployStatus> all;
  for (const auto& [name, deployment] : deployments_) all.push_back(status_message(deployment, news_, now));
  return all;
}

v1::DeployHistoryReply Controller::history(const std::string& service, std::size_t limit) const {
  v1::DeployHistoryReply reply;
  if (limit == 0) limit = 100;
  for (auto entry = history_.rbegin(); entry != history_.rend() && static_cast<std::size_t>(reply.entries_size()) < limit; ++entry)
    if (service.empty() || entry->service() == service) *reply.add_entries() = *entry;
  return reply;
}

Result<v1::ExplainDeployReply> Controller::explain(const std::string& service, MonoTime now) const {
  const auto found = const_cast<Controller*>(this)->find(service);
  if (!found) return tl::unexpected(found.error());
  const auto& deployment = **found;
  v1::ExplainDeployReply reply;
  std::string text;
  if (deployment.rollout.revision() == 0) {
    reply.set_text("there was no rollout of " + service + " yet: " + deployment.rollout.plan().stable + " has all traffic\n" + deployment.aa.explain() + "\n");
    return reply;
  }
  for (const auto& line : deployment.rollout.explain()) text += line + "\n";
  reply.set_text(text + deployment.aa.explain() + "\n");
  const auto message = rollout_message(deployment, news_, now);
  *reply.mutable_evidence() = message.evidence();
  for (auto& rule : rules_of(deployment.rollout, news_, now)) reply.add_rules(std::move(rule));
  return reply;
}

void Controller::collect(metrics::Snapshot& into) const {
  std::uint64_t rollbacks = 0;
  std::map<metrics::Snapshot::Labels, std::vector<double>> shares;   // the metric knows no service: equal labels are averaged
  for (const auto& [name, deployment] : deployments_) {
    const auto protocol = std::string(to_string(news_.protocol(name)));
    const auto split = deployment.rollout.split();
    shares[{protocol, split.stable, deployment.colour(split.stable)}].push_back(percent(split.stable_weight()));
    if (!split.candidate.empty() && deployment.rollout.phase() != rollout::Phase::rolled_back)
      shares[{protocol, split.candidate, deployment.colour(split.candidate)}].push_back(percent(split.candidate_weight));
    for (const auto& [status, count] : deployment.ended) {
      into.add(metrics::bluegreen_deployments, {protocol, status}, count);
      if (status == "rolled_back") rollbacks += count;
    }
    into.add(metrics::rollout_phase, {name, std::string(to_string(deployment.rollout.phase()))}, 1);
    into.add(metrics::judge_trials, {name}, deployment.aa.trials());
    into.add(metrics::judge_false_alarms, {name}, deployment.aa.alarms());
    into.add(metrics::judge_tolerated_ratio, {name}, deployment.aa.tolerated_ratio());
    into.add(metrics::rollout_step, {name}, percent(deployment.rollout.weight()));
  }
  for (const auto& [labels, all] : shares)
    into.add(metrics::bluegreen_traffic_split, labels, std::accumulate(all.begin(), all.end(), 0.0) / static_cast<double>(all.size()));
  into.add(metrics::bluegreen_rollbacks, {}, rollbacks);
}

std::string Controller::status_json(MonoTime now) const {
  ordered_json services = ordered_json::array();
  for (const auto& status : list(now)) {
    ordered_json versions = ordered_json::array();
    for (const auto& version : status.versions())
      versions.push_back({{"version", version.version()}, {"colour", version.colour()}, {"weight_percent", percent(version.weight_per_10000())},
                          {"measured_percent", 100 * version.measured_share()}, {"modules", version.modules()}, {"modules_routable", version.modules_routable()},
                          {"sessions_active", version.sessions_active()}});
    services.push_back({{"service", status.service()}, {"revision", status.revision()}, {"phase", status.split().phase()}, {"versions", std::move(versions)},
                        {"waiting_for", status.rollout().waiting_for()}, {"reason", status.rollout().reason()}, {"outcome", status.outcome()},
                        {"warning", status.warning()},
                        {"self_test", {{"trials", status.aa_trials()}, {"false_alarm_percent", 100 * status.aa_alarm_rate()}, {"tolerated_ratio", status.aa_tolerated_ratio()}}}});
  }
  const ordered_json json = {{"tool", "nlb-deploy"}, {"version", NLB_VERSION}, {"epoch", settings_.epoch}, {"store_refuses", pending()}, {"services", std::move(services)}};
  return json.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

}  // namespace nlb::deploy
