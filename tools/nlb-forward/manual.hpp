// What the man page of nlb-forward says beyond its options.
#pragma once

#include "libnlb/cli/manual.hpp"

namespace nlb::forward {
extern const cli::Manual manual;
}
