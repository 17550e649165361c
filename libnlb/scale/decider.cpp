#include "libnlb/scale/decider.hpp"

#include <utility>

namespace nlb::scale {
namespace {

std::variant<Threshold, Hpa, Predictive> make_strategy(const Policy& p) {
  switch (p.strategy) {
    case Strategy::threshold: return Threshold(p.limits, p.threshold);
    case Strategy::hpa: return Hpa(p.limits, p.hpa);
    case Strategy::predictive: return Predictive(p.limits, p.predictive, p.interval);
  }
  return Threshold(p.limits, p.threshold);
}

Decision decide_by_hpa(Hpa& hpa, const Policy& p, Now now, const Inputs& inputs, const Readings& readings) {
  std::array<std::optional<std::uint32_t>, metric_kinds> wishes;
  std::size_t n = 0;
  for (std::size_t k = 0; k < metric_kinds; ++k)
    if (p.target[k] > 0) {
      wishes[n++] = readings[k] ? std::optional(want_external(inputs.ordered, readings[k]->total, p.target[k], p.hpa.tolerance)) : std::nullopt;
    }
  auto d = hpa.decide(now, inputs, {wishes.data(), n});
  note_metrics(d, readings, p.target);
  return d;
}

// What corrects a count outside the limits is not held back.
void limit_steps(Decision& d, const Policy& p) {
  const auto up = p.steps.up_max, down = p.steps.down_max;
  if (up > 0 && d.wanted > d.current + up) d.say(Rule::step_limit, d.current + up, up);
  else if (down > 0 && d.wanted + down < d.current) d.say(Rule::step_limit, d.current - down, down);
  else return;
  apply_limits(d, p.limits);
}

}  // namespace

Decider::Decider(Policy policy)
    : policy_(std::move(policy)), freshness_(policy_.interval), startup_(policy_.predictive.startup), strategy_(make_strategy(policy_)) {}

Decision Decider::decide(Now now, const Inputs& inputs) {
  const auto readings = freshness_.read(now, inputs, policy_.target);
  if (auto* threshold = std::get_if<Threshold>(&strategy_)) return threshold->decide(now, inputs, readings, policy_.target);
  auto* hpa = std::get_if<Hpa>(&strategy_);
  auto d = hpa != nullptr ? decide_by_hpa(*hpa, policy_, now, inputs, readings)
                          : std::get<Predictive>(strategy_).decide(now, inputs, readings, policy_.target, startup_.estimate());
  limit_steps(d, policy_);
  return d;
}

void Decider::applied(MonoTime at, std::uint32_t from, std::uint32_t to) {
  if (auto* hpa = std::get_if<Hpa>(&strategy_)) hpa->applied(at, from, to);
  if (auto* threshold = std::get_if<Threshold>(&strategy_)) threshold->applied(at, from, to);
}

void Decider::started(Duration took) { startup_.observed(took); }

}  // namespace nlb::scale
