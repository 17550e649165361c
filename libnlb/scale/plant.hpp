// The plant that a policy is tried on, and the scores. Steps of one second; a replica ordered at t serves from t + startup; removal
// is immediate and takes starting replicas first; load beyond the ready capacity is shed, not queued. The scores follow from the
// list of changes alone, so that anybody can compute them again.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "libnlb/scale/decider.hpp"
#include "libnlb/scale/trace.hpp"

namespace nlb::scale {

struct Step { std::int64_t t; std::uint32_t ordered, ready; };   // from second t on

struct PlantSettings {
  std::int64_t startup_seconds = 30;
  double slo_share = 0.9;            // of the ready capacity; a slot above it is a violation
  std::int64_t slot_seconds = 5;
  std::int64_t rate_window_seconds = 0;   // over which the decider's rate is averaged; 0: its interval
};

// Called with each decision and the ready count of that moment; return false to stop.
using DecisionSink = std::function<bool(std::int64_t t, const Decision&)>;

// Runs the policy's production decider over the trace. The policy's rate target is per replica in the trace's own unit.
std::vector<Step> run_plant(const Trace& trace, const Policy& policy, const PlantSettings& settings, const DecisionSink& sink = {});

struct Score {
  double cost = 0, slo_percent = 0, over_percent = 0, shed_ppm = 0, flaps_per_day = 0, actions_per_day = 0;
  // SPEC research group's elasticity metrics: accuracy (percent of the need), time shares (percent), instability (percent).
  double under_accuracy = 0, over_accuracy = 0, under_time = 0, over_time = 0, instability = 0;
  double replica_hours = 0, ideal_hours = 0, days = 0;
};
Score score(const Trace& trace, const std::vector<Step>& steps, const PlantSettings& settings, std::uint32_t min_replicas);

// The unscored beginning: a tenth of the trace, at most a day, in whole slots.
std::int64_t warm_up_seconds(const Trace& trace, const PlantSettings& settings);

}  // namespace nlb::scale
