// `nlb-deploy simulate`: the production judge on synthetic loads or recorded counters, many runs at once.
#pragma once

#include <functional>

#include "libnlb/cli/tool.hpp"

namespace nlb::deploy {

// Adds the verb and its options; when it was chosen, `body` becomes what is to run. `common` and `body` must outlive the App's parse.
void add_simulate(CLI::App& app, cli::Common& common, std::function<Result<cli::ExitCode>()>& body);

}  // namespace nlb::deploy
