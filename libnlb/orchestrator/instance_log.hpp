// One log file per instance, written by the process itself (so that it lives on while nlb-scale restarts) and kept below a bound by us:
// above it the file is copied to FILE.1 and cut, as logrotate's copytruncate does. What is written during the copy can be lost; the
// bound can be passed by what is written between two looks.
#pragma once

#include <cstdint>
#include <string>

#include "libnlb/core/result.hpp"
#include "libnlb/orchestrator/descriptor.hpp"

namespace nlb::orchestrator {

Result<Descriptor> open_log(const std::string& path);   // appends; makes its folders; 0640
void bound_log(const std::string& path, std::uint64_t bytes_max);   // both files together: at most about twice the bound

}  // namespace nlb::orchestrator
