// What nlb-deploy(1) says beyond the options.
#pragma once

#include "libnlb/cli/manual.hpp"

namespace nlb::deploy {

cli::Manual manual();

}  // namespace nlb::deploy
