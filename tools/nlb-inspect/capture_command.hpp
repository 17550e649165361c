// nlb-inspect FILE..., nlb-inspect -i IFACE.
#pragma once

#include "libnlb/cli/tool.hpp"
#include "tools/nlb-inspect/options.hpp"

namespace nlb::inspect_tool {

Result<cli::ExitCode> run_capture(const Options& options);

}  // namespace nlb::inspect_tool
