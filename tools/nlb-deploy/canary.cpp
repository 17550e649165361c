// `nlb-deploy canary start|pause|resume|promote|abort|retry`.
#include <map>

#include "libnlb/rollout/plan.hpp"
#include "tools/nlb-deploy/answer.hpp"
#include "tools/nlb-deploy/commands.hpp"
#include "tools/nlb-deploy/foreground.hpp"

namespace nlb::deploy {
namespace {

using Stub = v1::DeployService::Stub;
using Body = std::function<Result<cli::ExitCode>()>;

struct Start {
  ClientOptions client;
  CommandOptions command;
  WaitOptions wait;
  std::string service, to, steps, every = "2m", deadline = "1h", old_sessions_deadline, keep, first_contact;
  double step = 0, alpha = 0, tolerated_ratio = 0, delta = 0;
  std::vector<std::string> group;
  v1::OnInconclusive on_inconclusive = v1::ON_INCONCLUSIVE_PAUSE;
  v1::OnGroupAlarm on_group_alarm = v1::ON_GROUP_ALARM_ROLLBACK_ALL;
  v1::Sticky sticky = v1::STICKY_CLIENT;
  v1::OldSessions old_sessions = v1::OLD_SESSIONS_STAY;
  bool pause = false, foreground = false, full = false;
};

// Milliseconds of "2m"; 0 for an empty text.
Result<std::uint32_t> milliseconds(const char* option, const std::string& text) {
  if (text.empty()) return 0u;
  const auto parsed = parse_duration(text);
  if (!parsed) return fail(ErrorKind::usage, std::string(option) + ": " + parsed.error().text);
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(*parsed).count();
  if (ms < 0 || ms > 4'000'000'000) return fail(ErrorKind::usage, std::string(option) + ": " + text + " is not from 0 to 46 days: correct it");
  return static_cast<std::uint32_t>(ms);
}

Result<> add_steps(const Start& start, v1::StartCanaryRequest& request) {
  const auto every = parse_duration(start.every);
  if (!every) return fail(ErrorKind::usage, "--every: " + every.error().text);
  auto steps = start.step > 0 ? rollout::even_steps(start.step, *every)
               : start.steps.empty() ? Result<std::vector<rollout::Step>>(rollout::default_ladder())
                                     : rollout::parse_steps(start.steps, *every);
  if (!steps) return tl::unexpected(steps.error());
  for (const auto& step : *steps) {
    request.add_steps_per_10000(step.weight);
    request.add_step_every_ms(static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::milliseconds>(step.bake).count()));
  }
  return {};
}

Result<v1::StartCanaryRequest> request_of(const Start& start) {
  v1::StartCanaryRequest request;
  *request.mutable_head() = head_of(start.command);
  request.set_service(start.service);
  request.set_to_version(start.to);
  if (auto added = add_steps(start, request); !added) return tl::unexpected(added.error());
  const auto deadline = milliseconds("--deadline", start.deadline), sessions = milliseconds("--old-sessions-deadline", start.old_sessions_deadline);
  const auto keep = milliseconds("--keep", start.keep), contact = milliseconds("--first-contact", start.first_contact);
  for (const auto* each : {&deadline, &sessions, &keep, &contact})
    if (!*each) return tl::unexpected(each->error());
  request.set_step_deadline_ms(*deadline);
  request.set_old_sessions_deadline_ms(*sessions);
  request.set_keep_warm_ms(*keep);
  if (!start.first_contact.empty()) request.set_first_contact_ms(*contact);
  request.set_on_inconclusive(start.on_inconclusive);
  request.set_sticky(start.sticky);
  request.set_alpha(start.alpha);
  request.set_tolerated_ratio(start.tolerated_ratio);
  request.set_delta(start.delta);
  request.set_old_sessions(start.old_sessions);
  request.set_pause_after_start(start.pause);
  for (const auto& site : start.group) request.add_sites(site);
  request.set_on_group_alarm(start.on_group_alarm);
  return request;
}

Result<cli::ExitCode> start_canary(const Start& start, const cli::Common& common) {
  const auto request = request_of(start);
  if (!request) return tl::unexpected(request.error());
  auto client = Client::open(start.client);
  if (!client) return tl::unexpected(client.error());
  const auto ask = [&] { return client->call<v1::CommandReply>(&Stub::StartCanary, *request); };
  if (!start.foreground) return finish(*client, start.service, ask(), start.wait, common);
  auto wait = start.wait;
  wait.wait = true;
  return in_foreground(client->config().config, [&] { return finish(*client, start.service, ask(), wait, common); });
}

void add_rollout_options(CLI::App& verb, Start& start) {
  static const std::map<std::string, v1::OnInconclusive> inconclusive = {
      {"pause", v1::ON_INCONCLUSIVE_PAUSE}, {"rollback", v1::ON_INCONCLUSIVE_ROLLBACK}, {"wait", v1::ON_INCONCLUSIVE_WAIT}};
  static const std::map<std::string, v1::OnGroupAlarm> alarms = {{"rollback", v1::ON_GROUP_ALARM_ROLLBACK_ALL}, {"freeze", v1::ON_GROUP_ALARM_FREEZE}};
  static const std::map<std::string, v1::Sticky> sticky = {{"client", v1::STICKY_CLIENT}, {"connection", v1::STICKY_CONNECTION}};
  static const std::map<std::string, v1::OldSessions> sessions = {
      {"stay", v1::OLD_SESSIONS_STAY}, {"deadline", v1::OLD_SESSIONS_DEADLINE}, {"reset", v1::OLD_SESSIONS_RESET}};
  verb.add_option("--to", start.to, "the new version")->required()->option_text("VERSION");
  auto* steps = verb.add_option("--steps", start.steps, "weights in percent, each with a time of its own if it needs one: 1:2m,5,25,100 (default: 1:2m,5:5m,10:5m,25:5m,50:10m)");
  verb.add_option("--step", start.step, "the simple form: even steps of so many percent")->excludes(steps)->option_text("PERCENT");
  verb.add_option("--every", start.every, "least time of a step that names none")->capture_default_str();
  verb.add_option("--deadline", start.deadline, "of a step; then it is undecided")->capture_default_str();
  cli::add_choice(verb, "--on-inconclusive", start.on_inconclusive, inconclusive, "what follows when a step is undecided (default: pause)");
  cli::add_choice(verb, "--sticky", start.sticky, sticky, "what keeps its version: a client's address (default), or each connection on its own");
  cli::add_choice(verb, "--old-sessions", start.old_sessions, sessions, "sessions on a version that lost its traffic: stay (default), closed at a deadline, or reset");
  verb.add_option("--old-sessions-deadline", start.old_sessions_deadline, "with --old-sessions deadline (default: 30s)")->option_text("TIME");
  verb.add_option("--keep", start.keep, "how long the old version stays warm after the promotion (default: deploy.keep_warm)")->option_text("TIME");
  verb.add_option("--first-contact", start.first_contact, "time at half of the first step's weight; 0: none (default: 3s)")->option_text("TIME");
  verb.add_option("--group", start.group, "sites that step together: eu,us; forwarders belong to the site that their name begins with")->delimiter(',')->option_text("SITES");
  cli::add_choice(verb, "--on-group-alarm", start.on_group_alarm, alarms, "an alarm at one site rolls back all (default), or freezes the others");
  verb.add_option("--alpha", start.alpha, "chance of ever rolling back a version that is no worse than tolerated (default: deploy.judge.alpha)")->check(CLI::Range(0.0, 0.5));
  verb.add_option("--r0", start.tolerated_ratio, "failure ratio to stable that is tolerated (default: deploy.judge.tolerated_ratio)");
  verb.add_option("--delta", start.delta, "smallest increase that matters: a step wants ln(20)/delta attempts (default: 0.005)")->check(CLI::Range(0.0, 1.0));
  verb.add_flag("--pause", start.pause, "begin paused");
  verb.add_flag("--foreground", start.foreground, "where no controller runs: be the controller until the rollout has ended; implies --wait");
}

}  // namespace

void add_canary(CLI::App& app, cli::Common& common, Body& body) {
  auto* canary = app.add_subcommand("canary", "a new version by steps, judged all the while");
  canary->require_subcommand(1);
  auto start = std::make_shared<Start>();
  auto* verb = canary->add_subcommand("start", "begin");
  verb->add_option("service", start->service, "the service")->required()->option_text("SERVICE");
  add_rollout_options(*verb, *start);
  add_command_options(*verb, start->command);
  add_wait_options(*verb, start->wait);
  add_client_options(*verb, start->client);
  cli::add_output_option(*verb, common);
  verb->callback([start, &common, &body] { body = [start, &common] { return start_canary(*start, common); }; });

  using Wire = v1::ControlCanaryRequest;
  struct Row { const char* name; const char* text; Wire::Verb verb; };
  static constexpr Row rows[] = {{"pause", "stay at this weight", Wire::VERB_PAUSE},
                                 {"resume", "go on, with a new deadline", Wire::VERB_RESUME},
                                 {"promote", "on to the next step now, whatever this one waits for; with --full: all traffic, whatever steps are left", Wire::VERB_PROMOTE},
                                 {"abort", "back to the stable version", Wire::VERB_ABORT},
                                 {"retry", "a rollout that was rolled back, again from its first step", Wire::VERB_RETRY}};
  for (const auto& row : rows) {
    auto chosen = std::make_shared<Start>();
    auto* made = canary->add_subcommand(row.name, row.text);
    made->add_option("service", chosen->service, "the service")->required()->option_text("SERVICE");
    add_command_options(*made, chosen->command);
    add_wait_options(*made, chosen->wait);
    add_client_options(*made, chosen->client);
    cli::add_output_option(*made, common);
    if (row.verb == Wire::VERB_PROMOTE) made->add_flag("--full", chosen->full, "all traffic to the new version now");
    made->callback([chosen, wanted = row.verb, &common, &body] {
      body = [chosen, wanted, &common]() -> Result<cli::ExitCode> {
        auto client = Client::open(chosen->client);
        if (!client) return tl::unexpected(client.error());
        Wire request;
        *request.mutable_head() = head_of(chosen->command);
        request.set_service(chosen->service);
        request.set_verb(chosen->full ? Wire::VERB_PROMOTE_FULL : wanted);
        return finish(*client, chosen->service, client->call<v1::CommandReply>(&Stub::ControlCanary, request), chosen->wait, common);
      };
    });
  }
}

}  // namespace nlb::deploy
