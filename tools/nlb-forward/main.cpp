// nlb-forward: accepts connections, detects their protocol, limits, routes and relays. Parse, load, wire, run.
#include <CLI/CLI.hpp>

#include "libnlb/cli/config_file.hpp"
#include "libnlb/cli/tool.hpp"
#include "tools/nlb-forward/manual.hpp"
#include "tools/nlb-forward/serve.hpp"
#include "tools/nlb-forward/status.hpp"

int main(int argc, char** argv) {
  using namespace nlb;
  CLI::App app("one TCP port in front of many services: detects the protocol, limits, routes, relays", "nlb-forward");
  cli::Common common;
  forward::ServeOptions serve;
  forward::StatusOptions status;
  cli::set_up(app, common, forward::manual);

  forward::add_serve_options(app, serve);
  auto* check = app.add_subcommand("check", "check a configuration and print every problem, without running");
  cli::ConfigOptions check_config;
  bool check_system = false;
  check->add_option("file", check_config.file, "the configuration (default: as for running)")->option_text("FILE");
  check->add_flag("--system", check_system, "check this machine's limits too, and print what to change");
  auto* show = app.add_subcommand("status", "show what a running nlb-forward is doing");
  forward::add_status_options(*show, status);
  cli::add_output_option(*show, common);

  return cli::run(app, argc, argv, [&]() -> Result<cli::ExitCode> {
    if (*show) return forward::show_status(status, common);
    if (*check) return forward::check(check_config, check_system);
    return forward::serve(serve);
  });
}
