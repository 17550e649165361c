#include "libnlb/scale/threshold.hpp"

#include <algorithm>
#include <cmath>

namespace nlb::scale {

Decision Threshold::decide(Now now, const Inputs& inputs, const Readings& readings, const std::array<double, metric_kinds>& target) {
  auto d = begin(now, inputs);
  note_metrics(d, readings, target);
  count(d, readings, target);
  step(d);
  apply_limits(d, limits_);
  return d;
}

void Threshold::count(const Decision& d, const Readings& readings, const std::array<double, metric_kinds>& target) {
  use_ = 0;
  bool any_new = false;
  for (std::size_t k = 0; k < metric_kinds; ++k) {
    if (!readings[k]) continue;
    any_new = any_new || readings[k]->is_new;
    use_ = std::max(use_, readings[k]->total / (target[k] * std::max(d.current, 1U)));
  }
  if (d.missing != 0) state_.low = 0;
  if (!any_new) return;
  state_.high = use_ > settings_.up_share ? std::min(state_.high + 1, settings_.periods) : 0;
  state_.low = use_ < settings_.down_share && d.missing == 0 ? std::min(state_.low + 1, settings_.periods) : 0;
}

void Threshold::step(Decision& d) const {
  if (state_.high >= settings_.periods) {
    if (cooling(d.at, true)) return d.say(Rule::cooldown, d.current, use_);
    return d.say(Rule::threshold_up, d.current + settings_.up_step, use_);
  }
  if (state_.low < settings_.periods) return;
  const auto enough = static_cast<std::uint32_t>(std::ceil(use_ / settings_.up_share * d.current));                // fewer would be undone at once
  const auto fewer = std::max({limits_.min, 1U, enough, d.current - std::min(d.current, settings_.down_step)});
  if (fewer >= d.current) return d.say(Rule::keep, d.current, use_);
  if (cooling(d.at, false)) return d.say(Rule::cooldown, d.current, use_);
  d.say(Rule::threshold_down, fewer, use_);
}

bool Threshold::cooling(MonoTime now, bool up) const {
  if (up) return state_.raised && now - *state_.raised < settings_.up_cooldown;
  const auto last = std::max(state_.raised.value_or(MonoTime::min()), state_.lowered.value_or(MonoTime::min()));
  return (state_.raised || state_.lowered) && now - last < settings_.down_cooldown;
}

void Threshold::applied(MonoTime at, std::uint32_t from, std::uint32_t to) {
  if (from == to) return;
  (to > from ? state_.raised : state_.lowered) = at;
  state_.high = state_.low = 0;
}

}  // namespace nlb::scale
