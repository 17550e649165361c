// `nlb-deploy get|list|history|explain`: they change nothing, and read the store themselves where no controller runs.
#include <iostream>

#include "libnlb/cli/table.hpp"
#include "libnlb/cli/text.hpp"
#include "libnlb/core/time.hpp"
#include "libnlb/daemon/clock.hpp"
#include "libnlb/rollout/plan.hpp"
#include "tools/nlb-deploy/commands.hpp"
#include "tools/nlb-deploy/follow.hpp"
#include "tools/nlb-deploy/foreground.hpp"
#include "tools/nlb-deploy/view.hpp"

namespace nlb::deploy {

using daemon::mono_now;
namespace {

using Stub = v1::DeployService::Stub;
using Body = std::function<Result<cli::ExitCode>()>;

struct Question {
  ClientOptions client;
  std::string service, timeout;
  bool watch = false, wait = false;
  std::uint32_t limit = 0;
};

bool as_ndjson(const cli::Common& common) { return cli::effective_output(common) == cli::Output::ndjson; }

// The controller's answer; where none runs, the store's.
template <class Reply, class Request>
Result<Reply> ask(const Question& question, const Client& client, grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Reply*),
                  const Request& request, const std::function<Result<Reply>(const Controller&)>& from_store) {
  auto reply = client.call<Reply>(method, request);
  if (reply || reply.error().kind != ErrorKind::unavailable || !question.client.server.empty()) return reply;
  const auto stored = read_store(client.config().config);
  if (!stored) return tl::unexpected(reply.error());
  std::cerr << "nlb-deploy: no controller runs: this is what the store holds\n";
  return from_store(*stored->controller);
}

void print(const v1::DeployStatus& status, const cli::Common& common) {
  if (as_ndjson(common)) std::cout << cli::json_line(to_json(status)) << std::endl;
  else std::cout << draw(status, cli::terminal_width(1, 120), cli::use_color(common));
}

Result<cli::ExitCode> get(const Question& question, const cli::Common& common) {
  auto client = Client::open(question.client);
  if (!client) return tl::unexpected(client.error());
  if (question.watch || question.wait) {
    Follow wanted{question.service, question.wait, question.wait && !question.watch, {}};
    if (!question.timeout.empty()) {
      const auto timeout = parse_duration(question.timeout);
      if (!timeout) return tl::unexpected(timeout.error());
      wanted.timeout = *timeout;
    }
    v1::GetDeployRequest known;   // finds the copy that leads, and whether there is such a service
    known.set_service(question.service);
    if (const auto status = client->call<v1::DeployStatus>(&Stub::Get, known); !status) return tl::unexpected(status.error());
    return follow(*client, wanted, common);
  }
  v1::GetDeployRequest request;
  request.set_service(question.service);
  const auto status = ask<v1::DeployStatus>(question, *client, &Stub::Get, request, [&](const Controller& c) { return c.get(question.service, mono_now()); });
  if (!status) return tl::unexpected(status.error());
  print(*status, common);
  return cli::ExitCode::done;
}

std::string version_and_weight(const v1::VersionStatus& version) { return version.version() + " " + rollout::format_percent(version.weight_per_10000()) + " %"; }

Result<cli::ExitCode> list(const Question& question, const cli::Common& common) {
  auto client = Client::open(question.client);
  if (!client) return tl::unexpected(client.error());
  const auto reply = ask<v1::ListDeployReply>(question, *client, &Stub::List, v1::ListDeployRequest{}, [](const Controller& c) -> Result<v1::ListDeployReply> {
    v1::ListDeployReply all;
    for (auto& status : c.list(mono_now())) *all.add_services() = std::move(status);
    return all;
  });
  if (!reply) return tl::unexpected(reply.error());
  cli::Table table({{"SERVICE"}, {"PHASE"}, {"STABLE"}, {"CANARY"}, {"REVISION", cli::Align::right}, {"WAITS FOR", cli::Align::left, true}});
  for (const auto& status : reply->services()) {
    if (as_ndjson(common)) {
      std::cout << cli::json_line(to_json(status)) << std::endl;
      continue;
    }
    table.add({status.service(), status.split().phase(), status.versions_size() > 0 ? version_and_weight(status.versions(0)) : "",
               status.versions_size() > 1 ? version_and_weight(status.versions(1)) : "", std::to_string(status.revision()),
               status.ended() ? "" : status.rollout().waiting_for()});
  }
  if (!table.empty()) std::cout << table.render(cli::terminal_width(1, 0), cli::use_color(common));
  return cli::ExitCode::done;
}

Result<cli::ExitCode> history(const Question& question, const cli::Common& common) {
  auto client = Client::open(question.client);
  if (!client) return tl::unexpected(client.error());
  v1::DeployHistoryRequest request;
  request.set_service(question.service);
  request.set_limit(question.limit);
  const auto reply = ask<v1::DeployHistoryReply>(question, *client, &Stub::History, request, [&](const Controller& c) -> Result<v1::DeployHistoryReply> {
    return c.history(question.service, question.limit);
  });
  if (!reply) return tl::unexpected(reply.error());
  cli::Table table({{"TIME"}, {"SERVICE"}, {"REVISION", cli::Align::right}, {"VERB"}, {"BY"}, {"WHAT", cli::Align::left, true}});
  for (const auto& entry : reply->entries()) {
    const auto time = format_rfc3339(WallTime(std::chrono::milliseconds(entry.at_unix_ms())), 3);
    if (as_ndjson(common))
      std::cout << cli::json_line({{"time", time}, {"service", entry.service()}, {"revision", entry.revision()}, {"verb", entry.verb()}, {"actor", entry.actor()},
                                   {"text", entry.text()}, {"request_id", entry.request_id()}, {"id", entry.id()}}) << std::endl;
    else table.add({time, entry.service(), std::to_string(entry.revision()), entry.verb(), entry.actor().empty() ? "controller" : entry.actor(), entry.text()});
  }
  if (!table.empty()) std::cout << table.render(cli::terminal_width(1, 0), cli::use_color(common));
  return cli::ExitCode::done;
}

Result<cli::ExitCode> explain(const Question& question, const cli::Common& common) {
  auto client = Client::open(question.client);
  if (!client) return tl::unexpected(client.error());
  v1::ExplainDeployRequest request;
  request.set_service(question.service);
  const auto reply = ask<v1::ExplainDeployReply>(question, *client, &Stub::Explain, request, [&](const Controller& c) { return c.explain(question.service, mono_now()); });
  if (!reply) return tl::unexpected(reply.error());
  if (as_ndjson(common)) {
    cli::Json json = {{"service", question.service}, {"text", reply->text()}};
    auto& rules = json["rules"] = cli::Json::array();
    for (const auto& rule : reply->rules()) rules.push_back(rule);
    std::cout << cli::json_line(json) << std::endl;
    return cli::ExitCode::done;
  }
  for (const auto& rule : reply->rules()) std::cout << cli::printable(rule) << "\n";
  if (reply->rules_size() > 0) std::cout << "\n";
  std::cout << reply->text();
  return cli::ExitCode::done;
}

std::shared_ptr<Question> add_question(CLI::App& app, cli::Common& common, Body& body, const char* name, const char* text, bool needs_service,
                                       Result<cli::ExitCode> (*run)(const Question&, const cli::Common&), CLI::App*& made) {
  auto question = std::make_shared<Question>();
  made = app.add_subcommand(name, text);
  auto* service = made->add_option("service", question->service, needs_service ? "the service" : "only this service")->option_text("SERVICE");
  if (needs_service) service->required();
  add_client_options(*made, question->client);
  cli::add_output_option(*made, common);
  made->callback([question, run, &common, &body] { body = [question, run, &common] { return run(*question, common); }; });
  return question;
}

}  // namespace

void add_questions(CLI::App& app, cli::Common& common, Body& body) {
  CLI::App* made = nullptr;
  auto question = add_question(app, common, body, "get", "versions, weights, evidence and what comes next", true, get, made);
  made->add_flag("--watch", question->watch, "keep showing it; a live view on a terminal");
  made->add_flag("--wait", question->wait, "until the rollout has ended or waits for a person; the exit code says which");
  made->add_option("--timeout", question->timeout, "with --watch or --wait: no longer than this (exit code 5)")->option_text("TIME");
  auto all = std::make_shared<Question>();
  made = app.add_subcommand("list", "all services, a line each");
  add_client_options(*made, all->client);
  cli::add_output_option(*made, common);
  made->callback([all, &common, &body] { body = [all, &common] { return list(*all, common); }; });
  question = add_question(app, common, body, "history", "what happened, newest first", false, history, made);
  made->add_option("--limit", question->limit, "how many (default: 100)")->option_text("N");
  add_question(app, common, body, "explain", "every rule's opinion and the judge's numbers", true, explain, made);
}

}  // namespace nlb::deploy
