// What a strategy sees, and what it answers: a count with its reasons. A Decision holds numbers only (it is made every few seconds,
// and millions of times in a simulation); explain() turns it into text.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "libnlb/core/time.hpp"
#include "libnlb/scale/policy.hpp"

namespace nlb::scale {

// Two clocks: `mono` for windows and cool-downs, `wall` only for the time of day of the seasonal profile.
struct Now { MonoTime mono; WallTime wall; };

// One measurement over all replicas. `sequence` rises with every new one of its source: the same number again is a frozen source.
struct Metric {
  MetricKind kind = MetricKind::rate;
  double total = 0;
  MonoTime at;
  std::uint64_t sequence = 0;
  Duration period{};                 // between two of them; 0: the policy's interval
};

struct Inputs {
  std::uint32_t ordered = 0;         // wanted of the target at the moment, starting ones included
  std::uint32_t ready = 0;
  std::uint32_t hold = 0;            // nlb-deploy's floor for this version
  std::span<const Metric> metrics;   // at most one per kind; a kind with a target but without a metric is missing
};

enum class Rule : std::uint8_t {
  keep, off, below_min, above_max, hold, missing, tolerance, metric, stabilise_up, stabilise_down, rate_up, rate_down,
  threshold_up, threshold_down, cooldown, reactive, forecast, burst, margin, calm, step_limit,
  resumed, by_hand, paused, frozen, retired, last_two
};
std::string_view to_string(Rule rule);
std::string_view meaning(Rule rule);   // one sentence for people

// What one rule wanted, and the number it looked at.
struct Opinion { Rule rule = Rule::keep; std::uint32_t wanted = 0; double value = 0; };

struct Decision {
  MonoTime at;
  std::uint32_t current = 0, wanted = 0;
  Rule winner = Rule::keep;
  std::uint32_t ready = 0, hold = 0;
  std::uint8_t opinion_count = 0, metric_count = 0;
  std::uint8_t missing = 0;                          // kinds with a target but no fresh metric, as bits
  std::array<Opinion, 10> opinions{};                // in the order they were asked; more are dropped
  std::array<Metric, metric_kinds> metrics{};        // the fresh ones that were used

  // Records an opinion; whoever changes the count becomes the winner.
  void say(Rule rule, std::uint32_t now_wanted, double value = 0) {
    if (opinion_count < opinions.size()) opinions[opinion_count++] = {rule, now_wanted, value};
    if (now_wanted != wanted) { wanted = now_wanted; winner = rule; }
  }
  // What would have been decided without the rule that won.
  std::uint32_t counterfactual() const;
};

Decision begin(Now now, const Inputs& inputs);   // current = wanted = inputs.ordered, nothing said yet

// The limits and the hold, the same for every strategy: min <= wanted <= max, and not below the hold (a hold never lifts max).
void apply_limits(Decision& decision, const Limits& limits);

std::string explain(const Decision& decision);   // several lines: inputs, what each rule wanted, which won, what else would have been

}  // namespace nlb::scale
