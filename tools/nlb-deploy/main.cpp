// nlb-deploy: moves traffic between versions of a service, step by step, and back when the new one is worse.
#include "libnlb/cli/tool.hpp"
#include "tools/nlb-deploy/commands.hpp"
#include "tools/nlb-deploy/manual.hpp"
#include "tools/nlb-deploy/serve.hpp"
#include "tools/nlb-deploy/simulate.hpp"

int main(int argc, char** argv) {
  using namespace nlb;
  CLI::App app("moves traffic between versions: switch, canary, promote, rollback", "nlb-deploy");
  cli::Common common;
  std::function<Result<cli::ExitCode>()> body;
  cli::set_up(app, common, deploy::manual());
  deploy::add_serve(app, body);
  deploy::add_commands(app, common, body);
  deploy::add_simulate(app, common, body);
  app.require_subcommand(1);
  return cli::run(app, argc, argv, [&] { return body(); });
}
