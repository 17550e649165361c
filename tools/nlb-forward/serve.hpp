// The daemon itself, and `check`.
#pragma once

#include <cstddef>
#include <string>

#include <CLI/CLI.hpp>

#include "libnlb/cli/config_file.hpp"
#include "libnlb/cli/exit_code.hpp"
#include "libnlb/core/result.hpp"
#include "libnlb/daemon/skeleton.hpp"
#include "tools/nlb-forward/takeover.hpp"

namespace nlb::forward {

struct ServeOptions {
  cli::ConfigOptions config;
  daemon::DaemonOptions daemon;
  std::size_t workers = 0;   // 0: one per CPU
  std::size_t processes = 1;
  bool accept_epoch = false; // believe the next snapshot of each owner, whatever its epoch
  std::string share;         // "I/N": this is process I of N (set by the parent)
  TakeoverOptions takeover;
};
void add_serve_options(CLI::App& app, ServeOptions& options);

Result<cli::ExitCode> serve(const ServeOptions& options);
Result<cli::ExitCode> check(const cli::ConfigOptions& options, bool system);

}  // namespace nlb::forward
