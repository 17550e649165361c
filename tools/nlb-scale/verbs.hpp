// The verbs that ask a running `nlb-scale serve`: policy set|get|reset, status, set, hold, pause, resume, drain, undrain, explain,
// history, forecast. Exit: 0 done; 4 nobody serves; 5 no answer in time; 6 refused, with the reason.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "libnlb/cli/config_file.hpp"
#include "libnlb/cli/tool.hpp"

namespace nlb::tool {

struct PolicyChange {          // what `policy set` was told; the rest stays
  std::optional<std::uint32_t> min, max, periods, up_step, down_step;
  std::optional<double> up_percent, down_percent;
  std::optional<std::string> cpu, memory, connections, rate, strategy, up_cooldown, down_cooldown;   // targets: a number, or none
};

struct VerbOptions {
  std::string config, address;                 // --config names scale.grpc; --address wins
  std::string service, version, duration, reason, horizon = "1h";
  std::vector<std::string> modules;
  std::uint32_t replicas = 0, limit = 50;
  bool watch = false, up = false, down = false, end = false;
  PolicyChange policy;
};

class Verbs {
 public:
  Verbs(CLI::App& app, CLI::App& policy, cli::Common& common);   // adds them all
  // Nullopt: none of them was asked for.
  std::optional<Result<cli::ExitCode>> run();

 private:
  using Body = Result<cli::ExitCode> (*)(const VerbOptions&, const cli::Common&);
  CLI::App* add(CLI::App& app, const std::string& name, const std::string& text, Body body);
  void add_policy_verbs(CLI::App& policy);
  void add_commands(CLI::App& app);
  void add_questions(CLI::App& app);

  cli::Common& common_;
  VerbOptions options_;
  std::vector<std::pair<CLI::App*, Body>> verbs_;
};

}  // namespace nlb::tool
