// `nlb-registry serve`: the daemon, wired from its parts.
#pragma once

#include <CLI/CLI.hpp>

#include "libnlb/cli/config_file.hpp"
#include "libnlb/cli/exit_code.hpp"
#include "libnlb/core/result.hpp"
#include "libnlb/daemon/skeleton.hpp"

namespace nlb::registrar {

struct ServeOptions {
  cli::ConfigOptions config;
  daemon::DaemonOptions daemon;
  bool insecure = false;
};
void add_serve_options(CLI::App& app, ServeOptions& options);

Result<cli::ExitCode> serve(const ServeOptions& options);

}  // namespace nlb::registrar
