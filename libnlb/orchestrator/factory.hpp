// From the configuration to a target that runs.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "libnlb/config/config.hpp"
#include "libnlb/orchestrator/target.hpp"

namespace nlb::orchestrator {

struct Places {
  std::string state_folder, log_folder;   // of nlb-scale, both writable; the process target keeps its own there
  // The environment, for what a target finds when its keys are absent (DOCKER_HOST, KUBERNETES_SERVICE_HOST); none when empty.
  std::function<std::string(const char*)> environment;
};

// Asks nobody outside, but adopts the processes of an earlier life. `post` as in Target. Errors name the key to correct: config; and
// unavailable: the state folder is locked or not writable, certificates can't be read.
Result<std::unique_ptr<Target>> make_target(const config::ScaleTarget& wanted, const std::string& service, const std::string& version,
                                            const Places& places, Target::Post post = {}, TargetOptions options = {});

}  // namespace nlb::orchestrator
