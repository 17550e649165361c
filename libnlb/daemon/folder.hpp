// The folders of our own files: state, sockets, locks.
#pragma once

#include <string>

#include "libnlb/core/result.hpp"

namespace nlb::daemon {

// Makes the folder that `path` lies in, and those above it, mode 0750; one that is there stays as it is. Blocks on the file system.
// Errors: unavailable, with the folder and the reason.
Result<> make_folder_of(const std::string& path);

}  // namespace nlb::daemon
