// What people and circumstances say after the strategy has spoken: a count set by hand, a hold, a pause, an order from before a restart,
// and the rule that nothing goes while a source is silent. The limits and the rollout's hold are corrected even during a pause.
#pragma once

#include <algorithm>
#include <optional>

#include "libnlb/scale/decision.hpp"

namespace nlb::scale {

struct Overrides {
  std::optional<std::uint32_t> resume;      // ordered before a restart, and not yet carried out
  std::optional<std::uint32_t> by_hand;
  bool pause_up = false, pause_down = false;
  bool frozen = false;                      // no change at all
  bool retired = false;                     // a split is in force that gives this version nothing
  bool in_rollout = false;                  // a rollout of this service is running
  bool incomplete = false;                  // a source of the metrics is silent, or the facts about holds aren't here yet
};

inline void apply(Decision& d, const Overrides& overrides, Limits limits) {
  if (overrides.retired) {
    limits.min = 0;
    d.say(Rule::retired, d.hold, d.hold);
  }
  if (overrides.resume) d.say(Rule::resumed, *overrides.resume, *overrides.resume);
  if (overrides.by_hand) {
    d.say(Rule::by_hand, *overrides.by_hand, *overrides.by_hand);
    d.winner = Rule::by_hand;               // it is the reason for staying, too
  }
  if (overrides.in_rollout && d.wanted < d.current && d.wanted < 2) d.say(Rule::last_two, std::min(d.current, 2U), 2);
  if (d.wanted < d.current && overrides.incomplete && !overrides.by_hand && d.winner != Rule::above_max) d.say(Rule::missing, d.current);
  if ((overrides.pause_up && d.wanted > d.current) || (overrides.pause_down && d.wanted < d.current)) d.say(Rule::paused, d.current);
  apply_limits(d, limits);
  if (d.missing != 0 && d.wanted == d.current && d.winner == Rule::keep) {   // the reason for people, not a change
    d.say(Rule::missing, d.current);
    d.winner = Rule::missing;
  }
  if (overrides.frozen && d.wanted != d.current) d.say(Rule::frozen, d.current);
}

}  // namespace nlb::scale
