// From the configuration's policies to the library's, and the verb `policy check`.
#pragma once

#include <CLI/CLI.hpp>

#include "libnlb/cli/tool.hpp"
#include "libnlb/config/config.hpp"
#include "libnlb/scale/policy.hpp"

namespace nlb::tool {

// The policy as the decider takes it; errors as scale::checked().
Result<scale::Policy> policy_of(const config::ScalePolicy& policy, Duration interval);

CLI::App* add_policy(CLI::App& app, std::string& file);   // the subcommand `policy check FILE`
Result<cli::ExitCode> run_policy_check(const std::string& file);

}  // namespace nlb::tool
