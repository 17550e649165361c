// One service as the controller keeps it: its rollout, and what only people and the wire need besides. Durable as one JSON object under
// `service/<name>` in the store; unknown keys are ignored, a missing one is an error.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "libnlb/rollout/aa.hpp"
#include "libnlb/rollout/rollout.hpp"
#include "nlb/v1/deploy.pb.h"

namespace nlb::deploy {

class News;

struct Deployment {
  rollout::Rollout rollout;
  std::string rollout_id;                        // the request id of the command that began it
  std::int64_t started_unix_ms = 0;              // for people only
  bool per_connection = false;                   // sticky by address and port
  std::vector<std::string> ejected;              // modules that the judge found bad in this rollout
  std::map<std::string, std::string> colours;    // by version: of the two that matter
  std::map<std::string, std::uint64_t> ended;    // outcome to how many rollouts ended so
  rollout::AaTest aa;

  const std::string& service() const { return rollout.service(); }
  std::string colour(const std::string& version) const;
  void paint(const std::string& candidate, const std::string& said);   // colours for a new rollout: the candidate gets the other one
};

std::string to_json(const Deployment& deployment, MonoTime now);
Result<Deployment> deployment_from_json(std::string_view text, MonoTime now);   // bad_input

// What travels. `epoch` is in the rollout already.
v1::Split split_message(const Deployment& deployment);
v1::Hold hold_message(const Deployment& deployment, std::uint32_t weight, std::uint32_t stable_replicas, Duration lease);
v1::Rollout rollout_message(const Deployment& deployment, const News& news, MonoTime now);
v1::DeployStatus status_message(const Deployment& deployment, const News& news, MonoTime now);

// "promoted", "rolled_back", "paused" (undecided and frozen ones too), "aborted"; "" while it runs, or when there was none.
std::string outcome_of(const rollout::Rollout& rollout);

}  // namespace nlb::deploy
