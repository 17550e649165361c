#include "tools/nlb-scale/verbs.hpp"

#include <charconv>
#include <cmath>
#include <iostream>

#include "libnlb/cli/ndjson.hpp"
#include "libnlb/cli/table.hpp"
#include "tools/nlb-scale/client.hpp"
#include "tools/nlb-scale/view.hpp"

namespace nlb::tool {
namespace {

using cli::ExitCode;
using Stub = v1::ScaleService::Stub;

bool as_lines(const cli::Common& common) { return cli::effective_output(common) == cli::Output::ndjson; }

Result<std::uint32_t> milliseconds(const std::string& text, const char* option) {
  if (text.empty()) return 0U;
  const auto d = parse_duration(text);
  if (!d) return fail(ErrorKind::usage, std::string(option) + " " + text + ": " + d.error().text);
  return static_cast<std::uint32_t>(std::min<std::int64_t>(*d / std::chrono::milliseconds(1), 0xffffffff));
}

Result<ExitCode> told(const Result<v1::CommandReply>& reply, const cli::Common& common) {
  if (!reply) return tl::unexpected(reply.error());
  if (!reply->accepted()) return fail(ErrorKind::refused, reply->refused());
  if (as_lines(common)) std::cout << cli::json_line({{"accepted", true}, {"revision", reply->revision()}}) << std::endl;
  else std::cout << "accepted, revision " << reply->revision() << std::endl;
  return ExitCode::done;
}

template <class Request, class Call>
Result<ExitCode> command(const VerbOptions& o, const cli::Common& common, Call call, Request request) {
  auto client = Client::connect(o.address, o.config);
  if (!client) return tl::unexpected(client.error());
  *request.mutable_head() = new_head(o.reason);
  return told(client->ask(call, request), common);
}

Result<ExitCode> set_replicas(const VerbOptions& o, const cli::Common& common) {
  const auto ms = milliseconds(o.duration, "--for");
  if (!ms) return tl::unexpected(ms.error());
  v1::SetReplicasRequest request;
  request.set_service(o.service);
  request.set_version(o.version);
  request.set_replicas(o.replicas);
  request.set_hold_ms(*ms);
  return command(o, common, &Stub::SetReplicas, request);
}

Result<ExitCode> hold(const VerbOptions& o, const cli::Common& common) {
  const auto ms = milliseconds(o.duration.empty() ? "1h" : o.duration, "--for");
  if (!ms) return tl::unexpected(ms.error());
  v1::HoldRequest request;
  request.set_service(o.service);
  request.set_version(o.version);
  request.set_hold_ms(o.end ? 0 : *ms);
  return command(o, common, &Stub::Hold, request);
}

Result<ExitCode> pause(const VerbOptions& o, const cli::Common& common) {
  v1::PauseRequest request;
  request.set_service(o.service);
  request.set_version(o.version);
  request.set_up(o.up || !o.down);
  request.set_down(o.down || !o.up);
  return command(o, common, &Stub::Pause, request);
}

Result<ExitCode> resume(const VerbOptions& o, const cli::Common& common) {
  v1::PauseRequest request;
  request.set_service(o.service);
  request.set_version(o.version);
  return command(o, common, &Stub::Pause, request);
}

Result<ExitCode> drains(const VerbOptions& o, const cli::Common& common, bool cancel) {
  const auto ms = milliseconds(o.duration, "--deadline");
  if (!ms) return tl::unexpected(ms.error());
  v1::DrainModulesRequest request;
  request.set_service(o.service);
  for (const auto& m : o.modules) request.add_modules(m);
  request.set_deadline_ms(*ms);
  request.set_cancel(cancel);
  return command(o, common, &Stub::DrainModules, request);
}
Result<ExitCode> drain(const VerbOptions& o, const cli::Common& common) { return drains(o, common, false); }
Result<ExitCode> undrain(const VerbOptions& o, const cli::Common& common) { return drains(o, common, true); }

using SetTarget = void (v1::Policy::*)(double);
Result<> change_target(v1::Policy& p, const std::optional<std::string>& text, SetTarget set, const std::string& flag) {
  if (!text) return {};
  double value = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  const bool number = error == std::errc{} && end == text->data() + text->size() && std::isfinite(value);
  if (*text != "none" && !number) return fail(ErrorKind::usage, flag + " " + *text + ": neither a number nor none");
  if (number && value <= 0) return fail(ErrorKind::refused, flag + " " + *text + ": a target of zero would want replicas without end: give what one replica shall carry, or none to leave it out");
  (p.*set)(value);
  return {};
}

Result<> change_targets(v1::Policy& p, const PolicyChange& c) {
  if (auto done = change_target(p, c.cpu, &v1::Policy::set_cpu_percent, "--cpu"); !done) return done;
  if (auto done = change_target(p, c.memory, &v1::Policy::set_memory_percent, "--memory"); !done) return done;
  if (auto done = change_target(p, c.connections, &v1::Policy::set_connections, "--connections"); !done) return done;
  return change_target(p, c.rate, &v1::Policy::set_rate, "--rate");
}

void change(v1::Policy& p, const PolicyChange& c, std::uint32_t up_ms, std::uint32_t down_ms) {
  if (c.min) p.set_min(*c.min);
  if (c.max) p.set_max(*c.max);
  if (c.periods) p.set_periods(*c.periods);
  if (c.up_step) p.set_up_step_max(*c.up_step);
  if (c.down_step) p.set_down_step_max(*c.down_step);
  if (c.up_percent) p.set_up_percent(*c.up_percent);
  if (c.down_percent) p.set_down_percent(*c.down_percent);
  if (c.strategy) p.set_strategy(*c.strategy);
  if (c.up_cooldown) p.set_up_cooldown_ms(up_ms);
  if (c.down_cooldown) p.set_down_cooldown_ms(down_ms);
}

v1::Policy usual_policy(const VerbOptions& o) {   // the defaults of nlb.yaml
  const config::ScalePolicy d;
  v1::Policy p;
  p.set_service(o.service);
  p.set_version(o.version);
  p.set_min(d.min);
  p.set_max(d.max);
  p.set_strategy("predictive");
  p.set_cpu_percent(d.cpu_percent);
  p.set_memory_percent(d.memory_percent);
  p.set_connections(d.connections);
  p.set_periods(d.periods);
  p.set_up_percent(d.up_percent);
  p.set_down_percent(d.down_percent);
  p.set_up_cooldown_ms(static_cast<std::uint32_t>(d.up.cooldown / std::chrono::milliseconds(1)));
  p.set_down_cooldown_ms(static_cast<std::uint32_t>(d.down.cooldown / std::chrono::milliseconds(1)));
  return p;
}

Result<ExitCode> policy_set(const VerbOptions& o, const cli::Common& common) {
  const auto up = milliseconds(o.policy.up_cooldown.value_or(""), "--up-cooldown"), down = milliseconds(o.policy.down_cooldown.value_or(""), "--down-cooldown");
  if (!up) return tl::unexpected(up.error());
  if (!down) return tl::unexpected(down.error());
  auto client = Client::connect(o.address, o.config);
  if (!client) return tl::unexpected(client.error());
  v1::GetPolicyRequest which;
  which.set_service(o.service);
  auto known = client->ask(&Stub::GetPolicy, which);
  if (!known) return tl::unexpected(known.error());
  v1::SetPolicyRequest request;
  *request.mutable_policy() = usual_policy(o);
  for (const auto& p : known->policies())
    if (p.version() == o.version) *request.mutable_policy() = p;
  if (auto good = change_targets(*request.mutable_policy(), o.policy); !good) return tl::unexpected(good.error());
  change(*request.mutable_policy(), o.policy, *up, *down);
  *request.mutable_head() = new_head(o.reason);
  return told(client->ask(&Stub::SetPolicy, request), common);
}

Result<ExitCode> policy_reset(const VerbOptions& o, const cli::Common& common) {
  v1::DeletePolicyRequest request;
  request.set_service(o.service);
  request.set_version(o.version);
  return command(o, common, &Stub::DeletePolicy, request);
}

template <class Request, class Reply>
Result<Reply> question(const VerbOptions& o, grpc::Status (Stub::*call)(grpc::ClientContext*, const Request&, Reply*), const Request& request) {
  auto client = Client::connect(o.address, o.config);
  if (!client) return tl::unexpected(client.error());
  return client->ask(call, request);
}

Result<ExitCode> policy_get(const VerbOptions& o, const cli::Common& common) {
  v1::GetPolicyRequest request;
  request.set_service(o.service);
  const auto reply = question(o, &Stub::GetPolicy, request);
  if (!reply) return tl::unexpected(reply.error());
  std::cout << policies_text(*reply, as_lines(common), cli::use_color(common)) << std::flush;
  return ExitCode::done;
}

Result<ExitCode> explain(const VerbOptions& o, const cli::Common& common) {
  v1::ExplainScaleRequest request;
  request.set_service(o.service);
  request.set_version(o.version);
  const auto reply = question(o, &Stub::Explain, request);
  if (!reply) return tl::unexpected(reply.error());
  std::cout << explanation_text(*reply, as_lines(common)) << std::flush;
  return ExitCode::done;
}

Result<ExitCode> history(const VerbOptions& o, const cli::Common& common) {
  v1::ScaleHistoryRequest request;
  request.set_service(o.service);
  request.set_limit(o.limit);
  const auto reply = question(o, &Stub::History, request);
  if (!reply) return tl::unexpected(reply.error());
  std::cout << history_text(*reply, as_lines(common), cli::use_color(common)) << std::flush;
  return ExitCode::done;
}

Result<ExitCode> forecast(const VerbOptions& o, const cli::Common& common) {
  const auto ms = milliseconds(o.horizon, "--horizon");
  if (!ms) return tl::unexpected(ms.error());
  v1::GetForecastRequest request;
  request.set_service(o.service);
  request.set_horizon_ms(*ms);
  const auto reply = question(o, &Stub::GetForecast, request);
  if (!reply) return tl::unexpected(reply.error());
  std::cout << forecast_text(*reply, as_lines(common), cli::use_color(common)) << std::flush;
  return ExitCode::done;
}

Result<ExitCode> watch(Client& client, const v1::GetScaleStatusRequest& request, const cli::Common& common) {
  grpc::ClientContext context;
  const auto reader = client.watch(context, request);
  StatusView view(as_lines(common), cli::use_color(common));
  v1::ScaleStatus status;
  while (reader->Read(&status) && view.show(status, &client)) {}
  context.TryCancel();
  if (const auto end = reader->Finish(); !end.ok() && end.error_code() != grpc::StatusCode::CANCELLED) return tl::unexpected(client.error_of(end));
  return ExitCode::done;
}

Result<ExitCode> status(const VerbOptions& o, const cli::Common& common) {
  auto client = Client::connect(o.address, o.config);
  if (!client) return tl::unexpected(client.error());
  v1::GetScaleStatusRequest request;
  request.set_service(o.service);
  if (o.watch) return watch(*client, request, common);
  const auto reply = client->ask(&Stub::GetStatus, request);
  if (!reply) return tl::unexpected(reply.error());
  std::cout << status_text(*reply, as_lines(common), cli::use_color(common)) << std::flush;
  return ExitCode::done;
}

}  // namespace

Verbs::Verbs(CLI::App& app, CLI::App& policy, cli::Common& common) : common_(common) {
  add_policy_verbs(policy);
  add_commands(app);
  add_questions(app);
}

std::optional<Result<ExitCode>> Verbs::run() {
  if (const auto slash = options_.service.find('/'); slash != std::string::npos) {
    options_.version = options_.service.substr(slash + 1);
    options_.service.resize(slash);
  }
  for (const auto& [verb, body] : verbs_)
    if (verb->parsed()) return body(options_, common_);
  return std::nullopt;
}

CLI::App* Verbs::add(CLI::App& app, const std::string& name, const std::string& text, Body body) {
  auto* verb = app.add_subcommand(name, text);
  verb->add_option("--config", options_.config, "the configuration that names scale.grpc")->option_text("FILE");
  verb->add_option("--address", options_.address, "where nlb-scale serve answers (default: scale.grpc)")->option_text("ADDRESS");
  cli::add_output_option(*verb, common_);
  verbs_.emplace_back(verb, body);
  return verb;
}

void Verbs::add_policy_verbs(CLI::App& policy) {
  auto* set = add(policy, "set", "change a service's policy while it runs; it is kept", policy_set);
  set->add_option("service", options_.service, "the service, and the version if only one is meant")->option_text("SERVICE[/VERSION]")->required();
  set->add_option("--reason", options_.reason, "why, for the history")->option_text("TEXT");
  auto& p = options_.policy;
  set->add_option("--min", p.min, "fewest replicas")->option_text("N");
  set->add_option("--max", p.max, "most replicas")->option_text("N");
  set->add_option("--strategy", p.strategy, "threshold, hpa or predictive")->option_text("NAME");
  set->add_option("--cpu", p.cpu, "percent of a CPU per replica; none leaves it out")->option_text("PERCENT");
  set->add_option("--memory", p.memory, "percent of memory per replica; none leaves it out")->option_text("PERCENT");
  set->add_option("--connections", p.connections, "connections per replica; none leaves them out")->option_text("N");
  set->add_option("--rate", p.rate, "new sessions a second per replica; none leaves it out")->option_text("N");
  set->add_option("--up-percent", p.up_percent, "go out above this share of a target (threshold)")->option_text("PERCENT");
  set->add_option("--down-percent", p.down_percent, "go in below this share of a target (threshold)")->option_text("PERCENT");
  set->add_option("--periods", p.periods, "evaluations in a row that must agree (threshold)")->option_text("N");
  set->add_option("--up-cooldown", p.up_cooldown, "time between two rises (threshold)")->option_text("DURATION");
  set->add_option("--down-cooldown", p.down_cooldown, "time after a change until a fall")->option_text("DURATION");
  set->add_option("--up-step", p.up_step, "replicas added at once; 0: no limit")->option_text("N");
  set->add_option("--down-step", p.down_step, "replicas taken away at once; 0: no limit")->option_text("N");
  auto* get = add(policy, "get", "show the policies in force", policy_get);
  get->add_option("service", options_.service, "the service (default: all)")->option_text("SERVICE");
  auto* reset = add(policy, "reset", "go back to the configuration's policy", policy_reset);
  reset->add_option("service", options_.service, "the service, and the version if only one is meant")->option_text("SERVICE[/VERSION]")->required();
}

void Verbs::add_commands(CLI::App& app) {
  const auto with_service = [&](CLI::App* verb) {
    verb->add_option("service", options_.service, "the service, and the version if only one is meant")->option_text("SERVICE[/VERSION]")->required();
    verb->add_option("--reason", options_.reason, "why, for the history")->option_text("TEXT");
    return verb;
  };
  auto* set = with_service(add(app, "set", "set the number of replicas by hand", set_replicas));
  set->add_option("replicas", options_.replicas, "how many")->option_text("N")->required();
  set->add_option("--for", options_.duration, "the loop leaves it alone for so long (default: until its next decision)")->option_text("DURATION");
  auto* held = with_service(add(app, "hold", "no change at all for a time", hold));
  held->add_option("--for", options_.duration, "how long (default: 1h)")->option_text("DURATION");
  held->add_flag("--end", options_.end, "end a hold");
  auto* paused = with_service(add(app, "pause", "no changes until resume; limits and rollouts are still kept", pause));
  paused->add_flag("--up", options_.up, "only no rises");
  paused->add_flag("--down", options_.down, "only no falls");
  with_service(add(app, "resume", "end a pause", resume));
  auto* drained = with_service(add(app, "drain", "drain modules and remove them", drain));
  drained->add_option("modules", options_.modules, "the modules")->option_text("MODULE...")->required();
  drained->add_option("--deadline", options_.duration, "how long at most (default: the service's drain_timeout)")->option_text("DURATION");
  auto* back = with_service(add(app, "undrain", "call modules back that are being drained", undrain));
  back->add_option("modules", options_.modules, "the modules")->option_text("MODULE...")->required();
}

void Verbs::add_questions(CLI::App& app) {
  auto* shown = add(app, "status", "show what is wanted, what runs, and why", status);
  shown->add_option("service", options_.service, "the service (default: all)")->option_text("SERVICE");
  shown->add_flag("--watch", options_.watch, "follow it live");
  auto* why = add(app, "explain", "inputs, what each rule wanted, which won, and what would have happened otherwise", explain);
  why->add_option("service", options_.service, "the service, and the version if only one is meant")->option_text("SERVICE[/VERSION]")->required();
  auto* past = add(app, "history", "decisions, actions and commands", history);
  past->add_option("service", options_.service, "the service (default: all)")->option_text("SERVICE");
  past->add_option("-n,--limit", options_.limit, "the last so many")->option_text("N");
  auto* next = add(app, "forecast", "the load that is expected, as a plot", forecast);
  next->add_option("service", options_.service, "the service, and the version if only one is meant")->option_text("SERVICE[/VERSION]")->required();
  next->add_option("--horizon", options_.horizon, "how far ahead")->option_text("DURATION");
}

}  // namespace nlb::tool
