// Follows a rollout by one server stream: a live view on a terminal, a line per change elsewhere, NDJSON with -o; until it has ended,
// waits for a person, or the time is over. A stream that is cut (a restart, a new leader) is opened again.
#pragma once

#include <optional>

#include "libnlb/cli/tool.hpp"
#include "libnlb/core/time.hpp"
#include "tools/nlb-deploy/client.hpp"

namespace nlb::deploy {

struct Follow {
  std::string service;                  // empty: all
  bool until_end = false;
  bool quiet = false;                   // only the end is printed
  std::optional<Duration> timeout;
};

inline constexpr Duration reconnect_max = std::chrono::seconds(30);   // how long no controller may answer

// done: promoted; no: rolled back; timeout: paused, undecided, or the timeout; unavailable: no controller any more.
Result<cli::ExitCode> follow(const Client& client, const Follow& wanted, const cli::Common& common);
cli::ExitCode exit_code_of(const v1::DeployStatus& status);

}  // namespace nlb::deploy
