// nlb-inspect bus: what the daemons tell each other, as NDJSON: first everything that is there, then every change.
#pragma once

#include "libnlb/cli/tool.hpp"
#include "tools/nlb-inspect/options.hpp"

namespace nlb::inspect_tool {

Result<cli::ExitCode> run_bus(const Options& options);

}  // namespace nlb::inspect_tool
