#include "policy.hpp"

#include <iostream>

#include "libnlb/cli/config_file.hpp"

namespace nlb::tool {

Result<scale::Policy> policy_of(const config::ScalePolicy& from, Duration interval) {
  scale::Policy policy;
  policy.strategy = static_cast<scale::Strategy>(from.strategy);
  static_assert(static_cast<int>(config::Strategy::predictive) == static_cast<int>(scale::Strategy::predictive));
  policy.limits = {from.min, from.max};
  policy.target = {from.rate, from.connections, from.cpu_percent, from.memory_percent};
  policy.interval = interval;
  policy.threshold.periods = from.periods;
  policy.threshold.up_cooldown = from.up.cooldown;
  policy.threshold.down_cooldown = from.down.cooldown;
  policy.threshold.up_share = from.up_percent / 100;
  policy.threshold.down_share = from.down_percent / 100;
  policy.steps = {from.up.step_max, from.down.step_max};
  policy.hpa.down.window = std::min<Duration>(from.down.cooldown, 1h);   // five minutes, as in autoscaling/v2
  policy.predictive.down_cooldown = from.down.cooldown;
  if (from.up.step_max > 0) policy.threshold.up_step = from.up.step_max;
  if (from.down.step_max > 0) policy.threshold.down_step = from.down.step_max;
  return scale::checked(policy);
}

CLI::App* add_policy(CLI::App& app, std::string& file) {
  auto* policy = app.add_subcommand("policy", "the policies of services");
  policy->require_subcommand(1);
  auto* check = policy->add_subcommand("check", "say which policies of a configuration nobody can follow, and why");
  check->add_option("file", file, "an nlb.yaml; - is stdin")->option_text("FILE")->required();
  return check;
}

Result<cli::ExitCode> run_policy_check(const std::string& file) {
  cli::ConfigOptions options;
  options.file = file;
  const auto loaded = cli::load_config(options, "scale");
  if (!loaded) return tl::unexpected<Error>(loaded.error());
  bool good = true;
  for (const auto& policy : loaded->config.scale.policies) {
    const auto name = policy.service + (policy.version.empty() ? "" : " " + policy.version);
    const auto result = policy_of(policy, loaded->config.scale.interval);
    good = good && result.has_value();
    std::cout << name << ": " << (result ? "good" : result.error().text) << std::endl;
  }
  if (loaded->config.scale.policies.empty()) std::cerr << "nlb-scale: " << file << ": no policies in it\n";
  return good ? cli::ExitCode::done : cli::ExitCode::no;
}

}  // namespace nlb::tool
