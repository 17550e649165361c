// The verbs that reach the controller: what they take, and what they ask for.
#pragma once

#include <functional>

#include "libnlb/cli/tool.hpp"

namespace nlb::deploy {

// Adds them all; when one was chosen, `body` becomes what is to run. `common` and `body` must outlive the App's parse.
void add_commands(CLI::App& app, cli::Common& common, std::function<Result<cli::ExitCode>()>& body);
void add_canary(CLI::App& app, cli::Common& common, std::function<Result<cli::ExitCode>()>& body);
void add_questions(CLI::App& app, cli::Common& common, std::function<Result<cli::ExitCode>()>& body);

}  // namespace nlb::deploy
