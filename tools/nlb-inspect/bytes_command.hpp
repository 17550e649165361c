// nlb-inspect bytes: which protocol raw bytes or hexadecimal text open.
#pragma once

#include "libnlb/cli/tool.hpp"
#include "tools/nlb-inspect/options.hpp"

namespace nlb::inspect_tool {

Result<cli::ExitCode> run_bytes(const Options& options);

}  // namespace nlb::inspect_tool
