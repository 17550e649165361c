#include "tools/nlb-deploy/commands.hpp"

#include <cmath>

#include "libnlb/rollout/plan.hpp"
#include "tools/nlb-deploy/answer.hpp"

namespace nlb::deploy {
namespace {

using Stub = v1::DeployService::Stub;
using Body = std::function<Result<cli::ExitCode>()>;

struct Verb {
  ClientOptions client;
  CommandOptions command;
  WaitOptions wait;
  std::string service, to, colour;
  bool force = false;
  double percent = 0;
  std::uint64_t revision = 0;
};

CLI::App* add_verb(CLI::App& app, cli::Common& common, Verb& verb, const char* name, const char* text, bool waits) {
  auto* made = app.add_subcommand(name, text);
  made->add_option("service", verb.service, "the service")->required()->option_text("SERVICE");
  add_command_options(*made, verb.command);
  if (waits) add_wait_options(*made, verb.wait);
  add_client_options(*made, verb.client);
  cli::add_output_option(*made, common);
  return made;
}

// `fill` puts the verb's own fields into the request.
template <class Request>
void runs(CLI::App* made, std::shared_ptr<Verb> verb, cli::Common& common, Body& body,
          grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, v1::CommandReply*), std::function<Result<>(Request&)> fill) {
  made->callback([=, &common, &body] {
    body = [=, &common]() -> Result<cli::ExitCode> {
      auto client = Client::open(verb->client);
      if (!client) return tl::unexpected(client.error());
      Request request;
      *request.mutable_head() = head_of(verb->command);
      request.set_service(verb->service);
      if (auto filled = fill(request); !filled) return tl::unexpected(filled.error());
      return finish(*client, verb->service, client->template call<v1::CommandReply>(method, request), verb->wait, common);
    };
  });
}

}  // namespace

void add_commands(CLI::App& app, cli::Common& common, Body& body) {
  auto verb = std::make_shared<Verb>();
  auto* init = add_verb(app, common, *verb, "init", "name the version that has a service's traffic now", false);
  init->add_option("--stable", verb->to, "the version")->required()->option_text("VERSION");
  init->add_option("--colour", verb->colour, "its colour (default: what its modules say, else blue)")->option_text("COLOUR");
  runs<v1::InitRequest>(init, verb, common, body, &Stub::Init, [verb](v1::InitRequest& request) -> Result<> {
    request.set_stable_version(verb->to);
    request.set_stable_colour(verb->colour);
    return {};
  });

  verb = std::make_shared<Verb>();
  auto* change = add_verb(app, common, *verb, "switch", "all traffic to another version at once (blue/green)", true);
  change->add_option("--to", verb->to, "the version")->required()->option_text("VERSION");
  change->add_flag("--force", verb->force, "also when no healthy module has that version");
  runs<v1::SwitchRequest>(change, verb, common, body, &Stub::Switch, [verb](v1::SwitchRequest& request) -> Result<> {
    request.set_to_version(verb->to);
    request.set_force(verb->force);
    return {};
  });

  add_canary(app, common, body);

  verb = std::make_shared<Verb>();
  auto* back = add_verb(app, common, *verb, "rollback", "back to the stable version, from every step and after a promotion", true);
  runs<v1::RollbackRequest>(back, verb, common, body, &Stub::Rollback, [](v1::RollbackRequest&) -> Result<> { return {}; });

  verb = std::make_shared<Verb>();
  auto* weight = add_verb(app, common, *verb, "set-weight", "the canary's weight by hand; pauses the rollout there", false);
  weight->add_option("percent", verb->percent, "0 to below 100, in steps of 0.01")->required()->check(CLI::Range(0.0, 100.0))->option_text("PERCENT");
  runs<v1::SetWeightRequest>(weight, verb, common, body, &Stub::SetWeight, [verb](v1::SetWeightRequest& request) -> Result<> {
    request.set_canary_weight_per_10000(static_cast<std::uint32_t>(std::lround(verb->percent * 100)));
    return {};
  });

  verb = std::make_shared<Verb>();
  auto* undo = add_verb(app, common, *verb, "undo", "back to the version that an earlier revision ended with (history shows them)", true);
  undo->add_option("--to", verb->revision, "the revision")->required()->option_text("REV");
  runs<v1::UndoRequest>(undo, verb, common, body, &Stub::Undo, [verb](v1::UndoRequest& request) -> Result<> {
    request.set_to_revision(verb->revision);
    return {};
  });

  add_questions(app, common, body);
}

}  // namespace nlb::deploy
