// What nlb-scale(1) says beyond the options.
#pragma once

#include "libnlb/cli/manual.hpp"

namespace nlb::tool {

cli::Manual manual();

}  // namespace nlb::tool
