// `nlb-scale serve`: the daemon. It waits as standby until it has the store to itself, then leads until it ends.
#pragma once

#include <CLI/CLI.hpp>

#include "libnlb/cli/config_file.hpp"
#include "libnlb/cli/exit_code.hpp"
#include "libnlb/daemon/skeleton.hpp"

namespace nlb::tool {

struct ServeOptions {
  cli::ConfigOptions config;
  daemon::DaemonOptions daemon;
  bool lines_on_stdin = false;
};
CLI::App* add_serve(CLI::App& app, ServeOptions& options);
Result<cli::ExitCode> serve(const ServeOptions& options);

}  // namespace nlb::tool
