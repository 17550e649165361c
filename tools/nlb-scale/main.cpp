// nlb-scale: decides and carries out replica counts, and tries policies on recorded loads. Parse, load, wire, run.
#include "manual.hpp"
#include "policy.hpp"
#include "serve.hpp"
#include "simulate.hpp"
#include "verbs.hpp"

int main(int argc, char** argv) {
  nlb::cli::Common common;
  nlb::tool::SimulateOptions simulate;
  nlb::tool::ServeOptions serve;
  std::string policy_file;
  CLI::App app("capacity that follows the load, and ahead of it where it can", "nlb-scale");
  nlb::cli::set_up(app, common, nlb::tool::manual());
  app.require_subcommand(1);
  auto* serve_verb = nlb::tool::add_serve(app, serve);
  auto* simulate_verb = nlb::tool::add_simulate(app, common, simulate);
  auto* check_verb = nlb::tool::add_policy(app, policy_file);
  nlb::tool::Verbs verbs(app, *app.get_subcommand("policy"), common);
  return nlb::cli::run(app, argc, argv, [&]() -> nlb::Result<nlb::cli::ExitCode> {
    if (serve_verb->parsed()) return nlb::tool::serve(serve);
    if (simulate_verb->parsed()) return nlb::tool::run_simulate(common, simulate);
    if (check_verb->parsed()) return nlb::tool::run_policy_check(policy_file);
    if (const auto done = verbs.run()) return *done;
    return nlb::fail(nlb::ErrorKind::usage, "no verb: see --help");
  });
}
