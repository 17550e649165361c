// What /proc says about processes (proc(5)), and signals that can't hit a stranger: a pid is only trusted together with its start time,
// and signals go through a pidfd whose process was checked after it was opened (pidfd_open(2)).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

#include "libnlb/core/result.hpp"
#include "libnlb/orchestrator/descriptor.hpp"

namespace nlb::orchestrator {

std::string boot_id();                                       // differs after every boot; empty: unknown
std::optional<std::uint64_t> start_time(pid_t pid);          // clock ticks since boot; none: no such process
Descriptor open_process(pid_t pid, std::uint64_t started);   // a pidfd of exactly this process; empty when it is gone
bool is_gone(const Descriptor& process);                     // ended (perhaps a zombie still)
// Signals the processes of the group `group` whose environment says NLB_INSTANCE=`instance`. For groups whose leader isn't our child any
// more, so that the number could be somebody else's by now. Reads all of /proc.
void signal_members(pid_t group, const std::string& instance, int signal);

}  // namespace nlb::orchestrator
