// Runs the production judge and the production rollout on a synthetic load, or on recorded counters: what would have happened?
// One forwarder that applies weights within the second, one site, one canary replica.
#pragma once

#include <span>
#include <string_view>

#include "libnlb/rollout/load.hpp"
#include "libnlb/rollout/plan.hpp"

namespace nlb::rollout {

enum class Outcome : std::uint8_t { promoted, rolled_back, undecided };
std::string_view to_string(Outcome outcome);

struct SimulatedRun {
  Outcome outcome = Outcome::undecided;
  std::int64_t seconds = 0;            // until the outcome; a promotion counts from the end of the last step
  std::uint64_t canary_failures = 0;   // until then: what users met
  std::uint64_t canary_attempts = 0;
};

// Deterministic in its arguments. About 0.5 ms for a ladder of 27 minutes. Precondition: the plan passes check().
SimulatedRun simulate(const Scenario& scenario, const Plan& plan, std::uint64_t seed);

// The same on recorded seconds. Recorded traffic can't follow the ladder, so the share is taken from the counts themselves; a record
// that ends before the last step has passed is undecided.
SimulatedRun replay(std::span<const Counts> seconds, const Plan& plan);

}  // namespace nlb::rollout
