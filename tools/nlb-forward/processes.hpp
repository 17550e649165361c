// `--processes N`: one parent, N forwarders on the same SO_REUSEPORT ports, for machines whose descriptor limit per process is lower than
// the sessions wanted. The parent holds no traffic: it starts and restarts the others, passes signals on, and answers /metrics and
// /status for all. Limits per protocol, service and client are shared out evenly.
#pragma once

#include <cstddef>
#include <string>

#include "libnlb/cli/config_file.hpp"
#include "libnlb/cli/exit_code.hpp"
#include "libnlb/core/result.hpp"
#include "libnlb/daemon/skeleton.hpp"
#include "libnlb/daemon/successor.hpp"
#include "tools/nlb-forward/takeover.hpp"

namespace nlb::forward {

inline constexpr std::size_t processes_max = 256;

struct ProcessShare {         // which of how many this process is
  std::size_t index = 0, count = 1;
  // The first keeps the program's own name on the bus and on disk; the others are numbered.
  std::string tool() const { return index == 0 ? "forward" : "forward-" + std::to_string(index); }
};

struct Supervised {
  cli::ConfigOptions config;
  daemon::DaemonOptions daemon;
  std::size_t workers = 0, processes = 1, old_generations_max = 32;
};

// Returns when all processes have ended. Errors: what kept a process from its first start.
Result<cli::ExitCode> supervise(const Supervised& wanted, const cli::ConfigFile& file, std::uint16_t admin_port, Duration drain_timeout,
                                Inheritance inheritance, daemon::OwnCommand command);

// One JSON status for several: counts are added up, lists are merged by name. Total over any JSON text.
std::string merge_statuses(const std::vector<std::string>& statuses, const std::string& old_generations_json = "[]");

}  // namespace nlb::forward
