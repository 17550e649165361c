#include "libnlb/scale/decision.hpp"

#include <algorithm>
#include <cstdio>

namespace nlb::scale {
namespace {

struct RuleRow { Rule rule; std::string_view name, meaning; };
constexpr std::array<RuleRow, 27> rules = {{
    {Rule::keep, "keep", "nothing asks for a change"},
    {Rule::off, "off", "zero replicas were ordered by hand, which means off"},
    {Rule::below_min, "below_min", "fewer than the minimum run: corrected at once"},
    {Rule::above_max, "above_max", "more than the maximum run: corrected at once"},
    {Rule::hold, "hold", "a rollout holds this many"},
    {Rule::missing, "missing", "a metric is missing or frozen, and silence never scales in"},
    {Rule::tolerance, "tolerance", "within the tolerance of the target"},
    {Rule::metric, "metric", "the metric divided by its target"},
    {Rule::stabilise_up, "stabilise_up", "the smallest wish within the up window"},
    {Rule::stabilise_down, "stabilise_down", "the largest wish within the down window"},
    {Rule::rate_up, "rate_up", "the rate policies allow no more at a time"},
    {Rule::rate_down, "rate_down", "the rate policies allow no less at a time"},
    {Rule::threshold_up, "threshold_up", "above the upper threshold in every period"},
    {Rule::threshold_down, "threshold_down", "below the lower threshold in every period"},
    {Rule::cooldown, "cooldown", "changed too recently"},
    {Rule::reactive, "reactive", "the load that is here now, divided by the target"},
    {Rule::forecast, "forecast", "the load expected before a replica ordered now could serve"},
    {Rule::burst, "burst", "the load is jumping"},
    {Rule::margin, "margin", "room for what the forecast has missed lately"},
    {Rule::calm, "calm", "needed again soon, or too little to gain: not removed yet"},
    {Rule::step_limit, "step_limit", "the policy allows no more at a time"},
    {Rule::resumed, "resumed", "ordered before a restart, and carried out now"},
    {Rule::by_hand, "by_hand", "somebody set this count"},
    {Rule::paused, "paused", "changes in this direction are paused by hand"},
    {Rule::frozen, "frozen", "a hold by hand allows no change at all"},
    {Rule::retired, "retired", "all traffic goes to other versions, and no rollout holds this one"},
    {Rule::last_two, "last_two", "a rollout is running, and two of each version stay"},
}};
const RuleRow& row(Rule rule) { return rules[static_cast<std::size_t>(rule)]; }

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", value);
  return text;
}

std::string metrics_line(const Decision& d) {
  std::string text;
  for (std::size_t i = 0; i < d.metric_count; ++i)
    text += "  " + std::string(to_string(d.metrics[i].kind)) + " " + number(d.metrics[i].total);
  for (std::size_t k = 0; k < metric_kinds; ++k)
    if (d.missing >> k & 1) text += "  " + std::string(metric_names[k]) + " missing";
  return text;
}

}  // namespace

std::string_view to_string(Rule rule) { return row(rule).name; }
std::string_view meaning(Rule rule) { return row(rule).meaning; }

std::uint32_t Decision::counterfactual() const {
  std::uint32_t before = current;
  for (std::size_t i = 0; i < opinion_count; ++i) {
    if (opinions[i].rule == winner && opinions[i].wanted == wanted) return before;
    before = opinions[i].wanted;
  }
  return before;
}

Decision begin(Now now, const Inputs& inputs) {
  Decision d;
  d.at = now.mono;
  d.current = d.wanted = inputs.ordered;
  d.ready = inputs.ready;
  d.hold = inputs.hold;
  return d;
}

void apply_limits(Decision& d, const Limits& limits) {
  const auto hold = std::min(d.hold, limits.max);
  if (d.wanted < hold) d.say(Rule::hold, hold, d.hold);
  if (d.wanted < limits.min) d.say(Rule::below_min, limits.min, limits.min);
  if (d.wanted > limits.max) d.say(Rule::above_max, limits.max, limits.max);
}

std::string explain(const Decision& d) {
  std::string text = "ordered " + std::to_string(d.current) + ", ready " + std::to_string(d.ready);
  if (d.hold > 0) text += ", hold " + std::to_string(d.hold);
  text += "\ninputs" + metrics_line(d) + "\n";
  for (std::size_t i = 0; i < d.opinion_count; ++i) {
    const auto& o = d.opinions[i];
    text += "  " + std::string(to_string(o.rule)) + " wanted " + std::to_string(o.wanted) + " (" + std::string(meaning(o.rule)) + ": " + number(o.value) + ")\n";
  }
  text += "decided " + std::to_string(d.wanted) + " by " + std::string(to_string(d.winner));
  const auto other = d.counterfactual();
  if (other != d.wanted) text += "; without it " + std::to_string(other);
  return text + "\n";
}

}  // namespace nlb::scale
