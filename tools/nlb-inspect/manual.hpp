// What nlb-inspect.1 says beyond the options.
#pragma once

#include "libnlb/cli/manual.hpp"

namespace nlb::inspect_tool {

cli::Manual manual();

}  // namespace nlb::inspect_tool
