// `nlb-forward status`: asks a running nlb-forward at its admin address and shows the answer.
#pragma once

#include <string>

#include <CLI/CLI.hpp>

#include "libnlb/cli/config_file.hpp"
#include "libnlb/cli/tool.hpp"

namespace nlb::forward {

struct StatusOptions {
  cli::ConfigOptions config;
  std::string admin;   // empty: admin.address of the configuration
};
void add_status_options(CLI::App& app, StatusOptions& options);

// Exit: 0; 4 when nobody answers there.
Result<cli::ExitCode> show_status(const StatusOptions& options, const cli::Common& common);

}  // namespace nlb::forward
