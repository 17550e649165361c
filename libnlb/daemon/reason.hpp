#pragma once

#include <cerrno>
#include <cstring>
#include <string>

namespace nlb::daemon {

inline std::string reason() { return std::strerror(errno); }   // of the last failed system call, for the middle of an error's text

}  // namespace nlb::daemon
