// The verb `simulate`: the production decision code on recorded loads, scored.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "libnlb/cli/tool.hpp"
#include "libnlb/scale/plant.hpp"

namespace nlb::tool {

struct SimulateOptions {
  std::vector<std::string> traces;
  std::string startup = "30s", capacity = "auto", sweep, svg, interval;
  std::vector<std::string> strategies;
  std::uint32_t min = 2, max = 200;
  double target = 0.7, speed = 1, slo_percent_max = 0.1;
  bool steps = false, plot = false;
  std::string explain;
  double arrivals = 0;
  std::uint64_t seed = 1;
};

// Adds the verb; returns what runs it once the command line is parsed.
CLI::App* add_simulate(CLI::App& app, cli::Common& common, SimulateOptions& options);
Result<cli::ExitCode> run_simulate(const cli::Common& common, const SimulateOptions& options);

}  // namespace nlb::tool
