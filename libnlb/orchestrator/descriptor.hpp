// The file descriptor that closes itself, under this folder's name.
#pragma once

#include "libnlb/daemon/descriptor.hpp"

namespace nlb::orchestrator {
using daemon::Descriptor;
}
