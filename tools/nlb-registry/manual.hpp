// What nlb-registry(1) says beyond the options.
#pragma once

#include "libnlb/cli/manual.hpp"

namespace nlb::registrar {

extern const cli::Manual manual;

}  // namespace nlb::registrar
