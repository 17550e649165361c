// nlb-registry: keeps the list of modules and their health, over gRPC and the bus. Parse, load, wire, run.
#include <CLI/CLI.hpp>

#include "libnlb/cli/tool.hpp"
#include "tools/nlb-registry/commands.hpp"
#include "tools/nlb-registry/manual.hpp"
#include "tools/nlb-registry/register.hpp"
#include "tools/nlb-registry/serve.hpp"

int main(int argc, char** argv) {
  using namespace nlb;
  CLI::App app("keeps the list of modules and their health, over gRPC and the bus", "nlb-registry");
  cli::Common common;
  registrar::ServeOptions serve;
  registrar::RegisterOptions registration;
  registrar::Commands commands;
  cli::set_up(app, common, registrar::manual);
  app.require_subcommand(1);

  struct Verb { CLI::App* app; std::function<Result<cli::ExitCode>()> run; };
  std::vector<Verb> verbs;
  const auto verb = [&](const char* name, const char* text, auto add, std::function<Result<cli::ExitCode>()> run) {
    auto* sub = app.add_subcommand(name, text);
    add(*sub);
    verbs.push_back({sub, std::move(run)});
    return sub;
  };
  const auto asking = [&](const char* name, const char* text, auto add, auto run) {
    cli::add_output_option(*verb(name, text, [&](CLI::App& sub) { add(sub, commands); }, [&, run] { return run(commands, common); }), common);
  };
  verb("serve", "run the registry", [&](CLI::App& sub) { registrar::add_serve_options(sub, serve); }, [&] { return registrar::serve(serve); });
  auto* registering = verb("register", "register a module, or run a command as one", [&](CLI::App& sub) { registrar::add_register(sub, registration); },
                           [&] { return registrar::register_module(registration, common); });
  cli::add_output_option(*registering, common);
  asking("unregister", "take a module out", registrar::add_unregister, registrar::unregister);
  asking("drain", "give a module no new sessions", registrar::add_drain, registrar::drain);
  asking("health", "show what checks say, or report a module's health", registrar::add_health, registrar::health);
  asking("list", "show the modules", registrar::add_list, registrar::list);
  asking("watch", "show the modules, then each change as it happens", registrar::add_watch, registrar::watch);
  asking("stats", "show totals, and the load of each module", registrar::add_stats, registrar::stats);
  verb("keygen", "make a pair of keys for the bus over tcp", [&](CLI::App& sub) { registrar::add_keygen(sub, commands); },
       [&] { return registrar::keygen(commands); });

  return cli::run(app, argc, argv, [&]() -> Result<cli::ExitCode> {
    for (const auto& one : verbs)
      if (one.app->parsed()) return one.run();
    return fail(ErrorKind::usage, "name a command: nlb-registry --help shows them");
  });
}
