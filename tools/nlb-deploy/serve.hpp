// The controller as a daemon.
#pragma once

#include <CLI/CLI.hpp>

#include "libnlb/cli/config_file.hpp"
#include "libnlb/cli/exit_code.hpp"
#include "libnlb/daemon/skeleton.hpp"

namespace nlb::deploy {

struct ServeOptions {
  cli::ConfigOptions config;
  daemon::DaemonOptions daemon;
};
void add_serve(CLI::App& app, std::function<Result<cli::ExitCode>()>& body);

}  // namespace nlb::deploy
