#include "libnlb/rollout/plan.hpp"

#include <charconv>
#include <cmath>
#include <set>

namespace nlb::rollout {
namespace {

Result<std::uint32_t> parse_percent(std::string_view text) {
  double percent = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), percent);
  const double weight = percent * 100;
  if (error != std::errc{} || end != text.data() + text.size() || !(weight >= 1 && weight <= weight_max))
    return fail(ErrorKind::usage, "step '" + std::string(text) + "' is refused: a step is a percentage from 0.01 to 100: write --steps 1,5,25,100");
  if (std::abs(weight - std::round(weight)) > 1e-6)
    return fail(ErrorKind::usage, "step '" + std::string(text) + "' is refused: weights have a resolution of 0.01 %: round it");
  return static_cast<std::uint32_t>(std::lround(weight));
}

Result<Step> parse_step(std::string_view text, Duration every) {
  const auto colon = text.find(':');
  const auto weight = parse_percent(text.substr(0, colon));
  if (!weight) return tl::unexpected(weight.error());
  if (colon == std::string_view::npos) return Step{*weight, every};
  const auto bake = parse_duration(text.substr(colon + 1));
  if (!bake) return tl::unexpected(bake.error());
  return Step{*weight, *bake};
}

Result<> check_steps(const std::vector<Step>& steps) {
  if (steps.empty()) return fail(ErrorKind::usage, "steps are refused: there is none: write --steps 1,5,25,100");
  if (steps.size() > steps_max)
    return fail(ErrorKind::usage, "steps are refused: " + std::to_string(steps.size()) + " are more than " + std::to_string(steps_max) + ": take larger ones");
  for (std::size_t i = 1; i < steps.size(); ++i)
    if (steps[i].weight <= steps[i - 1].weight)
      return fail(ErrorKind::usage, "steps are refused: step " + std::to_string(i + 1) + " doesn't rise: order them by weight");
  return {};
}

}  // namespace

Result<std::vector<Step>> parse_steps(std::string_view text, Duration every) {
  std::vector<Step> steps;
  for (std::size_t from = 0; from <= text.size();) {
    const auto comma = std::min(text.find(',', from), text.size());
    const auto step = parse_step(text.substr(from, comma - from), every);
    if (!step) return tl::unexpected(step.error());
    steps.push_back(*step);
    from = comma + 1;
  }
  if (const auto good = check_steps(steps); !good) return tl::unexpected(good.error());
  return steps;
}

Result<std::vector<Step>> even_steps(double percent, Duration every) {
  if (!(percent >= 1 && percent <= 100))
    return fail(ErrorKind::usage, "--step is refused: it must be from 1 to 100 percent: write --step 10");
  std::vector<Step> steps;
  for (double at = percent; at < 100 - 1e-9; at += percent) steps.push_back({static_cast<std::uint32_t>(std::lround(at * 100)), every});
  steps.push_back({weight_max, every});
  return steps;
}

std::vector<Step> default_ladder() {
  using std::chrono::minutes;
  return {{100, minutes(2)}, {500, minutes(5)}, {1000, minutes(5)}, {2500, minutes(5)}, {5000, minutes(10)}};
}

std::string format_percent(std::uint32_t weight) {
  auto text = std::to_string(weight / 100);
  if (weight % 100 == 0) return text;
  text += weight % 100 < 10 ? ".0" : ".";
  text += std::to_string(weight % 100);
  if (text.back() == '0') text.pop_back();
  return text;
}

std::string format_steps(const std::vector<Step>& steps) {
  std::string text;
  for (const auto& step : steps) text += (text.empty() ? "" : ",") + format_percent(step.weight) + ":" + format_duration(step.bake);
  return text;
}

Duration ladder_time(const std::vector<Step>& steps) {
  Duration sum{0};
  for (const auto& step : steps) sum += step.bake;
  return sum;
}

Result<> check(const Plan& plan) {
  if (plan.stable.empty() || plan.candidate.empty())
    return fail(ErrorKind::usage, "rollout is refused: a version has no name: name both, --stable v1 at init and --to v2");
  if (plan.stable == plan.candidate)
    return fail(ErrorKind::refused, "rollout is refused: " + plan.candidate + " has the traffic already: name another version");
  if (plan.sites.empty() || std::set<std::string>(plan.sites.begin(), plan.sites.end()).size() != plan.sites.size())
    return fail(ErrorKind::usage, "rollout is refused: the group names a site twice or none: write --group eu,us");
  const auto& judge = plan.judge;
  if (!(judge.alpha > 0 && judge.alpha < 1) || !(judge.tolerated_ratio >= 1) || !(judge.delta > 0 && judge.delta < 1) || judge.signals.empty())
    return fail(ErrorKind::usage, "judge is refused: alpha and delta are between 0 and 1, the tolerated ratio is at least 1: correct them");
  return check_steps(plan.steps);
}

}  // namespace nlb::rollout
