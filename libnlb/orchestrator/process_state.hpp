// What the process target must still know after its own restart, as a small JSON file that is replaced as a whole (rename(2)). It needs no
// fsync: a power cut ends the processes too, and another boot id voids their pids.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "libnlb/core/result.hpp"

namespace nlb::orchestrator {

struct ProcessRecord {
  std::string id;
  std::uint32_t index = 0;        // the smallest that was free; {index}
  int pid = 0;                    // 0: not running
  std::uint64_t started = 0;      // /proc/PID/stat field 22: pid and start time together name a process
  std::uint16_t port = 0;
  std::uint32_t restarts = 0;
  bool ready = false, stopping = false;
};

struct ProcessState {
  std::string boot;
  std::uint64_t generation = 0;   // rises with every change of what is wanted
  std::uint64_t next_number = 1;  // ids are never used twice
  std::uint32_t desired = 0;
  std::vector<ProcessRecord> processes;
};

Result<ProcessState> load_process_state(const std::string& path);   // absent: an empty one; bad_input: damaged
Result<> save_process_state(const std::string& path, const ProcessState& state);

}  // namespace nlb::orchestrator
