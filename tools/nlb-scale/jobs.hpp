// What simulate runs: every trace with every strategy at every target, on all cores, with a progress bar on a terminal.
#pragma once

#include <string>
#include <vector>

#include "libnlb/scale/plant.hpp"

namespace nlb::tool {

struct LoadedTrace { std::string name; scale::Trace trace; };

struct Job {
  const LoadedTrace* trace;
  scale::Policy policy;
  scale::PlantSettings plant;
  double target = 0;                 // utilisation, as on the command line
};
struct Outcome {
  scale::Score score;
  std::vector<scale::Step> steps;    // kept only when asked for
};

std::vector<Outcome> run_jobs(const std::vector<Job>& jobs, bool keep_steps);

// The cheapest of [first, last) that keeps the violations within `slo_percent_max`; last when none does.
std::size_t cheapest(const std::vector<Outcome>& outcomes, std::size_t first, std::size_t last, double slo_percent_max);

}  // namespace nlb::tool
