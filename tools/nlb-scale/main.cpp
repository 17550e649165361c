// nlb-scale: decides and carries out replica counts, and tries policies on recorded loads. Parse, load, wire, run.
#include "simulate.hpp"

int main(int argc, char** argv) {
  nlb::cli::Common common;
  nlb::tool::SimulateOptions simulate;
  CLI::App app("Capacity that follows the load, and ahead of it where it can", "nlb-scale");
  nlb::cli::set_up(app, common);
  app.require_subcommand(1);
  auto* simulate_verb = nlb::tool::add_simulate(app, common, simulate);
  return nlb::cli::run(app, argc, argv, [&]() -> nlb::Result<nlb::cli::ExitCode> {
    if (simulate_verb->parsed()) return nlb::tool::run_simulate(common, simulate);
    return nlb::fail(nlb::ErrorKind::usage, "no verb");
  });
}
