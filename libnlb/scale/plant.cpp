#include "libnlb/scale/plant.hpp"

#include <algorithm>
#include <cmath>
#include <deque>
#include <optional>

namespace nlb::scale {
namespace {

constexpr double day_seconds = 86400;
constexpr std::int64_t flap_seconds = 15 * 60;

class Pool {   // the replicas: ready ones and those on their way
 public:
  Pool(std::uint32_t ready, std::int64_t startup) : ready_(ready), startup_(startup) {}
  std::optional<std::int64_t> next_arrival() const { return starting_.empty() ? std::nullopt : std::optional(starting_.front().at); }
  void arrive(std::int64_t t) {
    while (!starting_.empty() && starting_.front().at <= t) { ready_ += starting_.front().count; starting_.pop_front(); }
  }
  void order(std::int64_t t, std::uint32_t wanted) {
    const auto now = ordered();
    if (wanted > now) starting_.push_back({t + startup_, wanted - now});
    for (auto excess = now > wanted ? now - wanted : 0; excess > 0;) excess -= remove(excess);
    arrive(t);   // a start-up of zero serves at once
  }
  std::uint32_t ready() const { return ready_; }
  std::uint32_t ordered() const {
    auto sum = ready_;
    for (const auto& group : starting_) sum += group.count;
    return sum;
  }

 private:
  struct Group { std::int64_t at; std::uint32_t count; };
  std::uint32_t remove(std::uint32_t excess) {   // the youngest first, as Kubernetes does with pods that aren't ready
    if (starting_.empty()) { ready_ -= excess; return excess; }
    const auto taken = std::min(excess, starting_.back().count);
    starting_.back().count -= taken;
    if (starting_.back().count == 0) starting_.pop_back();
    return taken;
  }
  std::uint32_t ready_;
  std::int64_t startup_;
  std::deque<Group> starting_;
};

MonoTime mono(std::int64_t t) { return MonoTime{} + std::chrono::hours{24} + std::chrono::seconds{t}; }
WallTime wall(std::int64_t t) { return WallTime{} + std::chrono::seconds{t}; }

struct Totals {
  double launched = 0, ideal = 0, demand = 0, shed = 0;
  double under = 0, over = 0, under_seconds = 0, over_seconds = 0;
  std::int64_t slots = 0, late = 0, overfull = 0;
};

struct SlotView { double mean; std::uint32_t ready_min; };

double ideal_replicas(double demand, double share, std::uint32_t min_replicas) {
  return std::max<double>(min_replicas, std::ceil(demand / share));
}

void judge_slot(Totals& sum, const SlotView& slot, double share) {
  ++sum.slots;
  if (slot.mean > share * slot.ready_min) ++sum.late;
  if (slot.mean > slot.ready_min) ++sum.overfull;
}

void judge_second(Totals& sum, double demand, double ideal, const Step& now) {
  sum.launched += now.ordered;
  sum.ideal += ideal;
  sum.demand += demand;
  sum.shed += std::max(0.0, demand - now.ready);
  const double gap = now.ready - ideal;
  if (gap < 0) { sum.under -= gap / ideal; ++sum.under_seconds; }
  if (gap > 0) { sum.over += gap / ideal; ++sum.over_seconds; }
}

// Herbst: the share of time in which demand and supply move in different directions, taken by the minute.
double instability_percent(const Trace& trace, const std::vector<Step>& steps, std::int64_t from, std::int64_t to, double share, std::uint32_t min_replicas) {
  const auto sign = [](double x) { return x > 0 ? 1 : x < 0 ? -1 : 0; };
  double need_before = 0, ready_before = 0;
  std::int64_t minutes = 0, against = 0;
  std::size_t i = 0;
  for (auto t = from; t + 60 <= to; t += 60) {
    while (i + 1 < steps.size() && steps[i + 1].t <= t) ++i;
    const double need = ideal_replicas(trace.mean(t, t + 60), share, min_replicas), ready = steps[i].ready;
    if (t > from) {
      ++minutes;
      against += sign(need - need_before) != sign(ready - ready_before);
    }
    need_before = need;
    ready_before = ready;
  }
  return minutes == 0 ? 0 : 100.0 * static_cast<double>(against) / static_cast<double>(minutes);
}

struct Moves { double flaps = 0, actions = 0; };
Moves count_moves(const std::vector<Step>& steps, std::int64_t from) {
  Moves moves;
  int direction = 0;
  std::int64_t last = 0;
  for (std::size_t i = 1; i < steps.size(); ++i) {
    if (steps[i].ordered == steps[i - 1].ordered) continue;
    const int now = steps[i].ordered > steps[i - 1].ordered ? 1 : -1;
    if (steps[i].t >= from) {
      ++moves.actions;
      if (direction == -now && steps[i].t - last <= flap_seconds) ++moves.flaps;
    }
    direction = now;
    last = steps[i].t;
  }
  return moves;
}

}  // namespace

std::vector<Step> run_plant(const Trace& trace, const Policy& policy, const PlantSettings& settings, const DecisionSink& sink) {
  Decider decider(policy);
  const double target = policy.target[static_cast<std::size_t>(MetricKind::rate)];
  const auto interval = std::max<std::int64_t>(1, policy.interval / std::chrono::seconds{1});
  const auto window = settings.rate_window_seconds > 0 ? settings.rate_window_seconds : interval;
  const auto first = static_cast<std::uint32_t>(std::ceil(trace.demand(0) * trace.capacity() / target));
  Pool pool(std::clamp(first, policy.limits.min, policy.limits.max), settings.startup_seconds);
  std::vector<Step> steps{{0, pool.ordered(), pool.ready()}};
  const auto note = [&](std::int64_t t) {
    if (steps.back().t == t) steps.back() = {t, pool.ordered(), pool.ready()};
    else if (steps.back().ordered != pool.ordered() || steps.back().ready != pool.ready()) steps.push_back({t, pool.ordered(), pool.ready()});
  };
  const auto arrive_until = [&](std::int64_t t) {
    while (pool.next_arrival() && *pool.next_arrival() <= t) {
      const auto at = *pool.next_arrival();
      pool.arrive(at);
      note(at);
    }
  };
  for (std::int64_t t = interval; t < trace.seconds(); t += interval) {
    arrive_until(t);
    const Metric rate{MetricKind::rate, trace.mean(std::max<std::int64_t>(0, t - window), t) * trace.capacity(), mono(t), static_cast<std::uint64_t>(t)};
    const auto ordered = pool.ordered();
    const auto decision = decider.decide({mono(t), wall(t)}, {ordered, pool.ready(), 0, {&rate, 1}});
    if (sink && !sink(t, decision)) break;
    if (decision.wanted == ordered) continue;
    pool.order(t, decision.wanted);
    decider.applied(mono(t), ordered, decision.wanted);
    note(t);
  }
  arrive_until(trace.seconds() - 1);
  return steps;
}

std::int64_t warm_up_seconds(const Trace& trace, const PlantSettings& settings) {
  const auto tenth = std::min<std::int64_t>(trace.seconds() / 10, static_cast<std::int64_t>(day_seconds));
  return (tenth + settings.slot_seconds - 1) / settings.slot_seconds * settings.slot_seconds;
}

Score score(const Trace& trace, const std::vector<Step>& steps, const PlantSettings& settings, std::uint32_t min_replicas) {
  const auto from = warm_up_seconds(trace, settings);
  const auto to = from + (trace.seconds() - from) / settings.slot_seconds * settings.slot_seconds;
  Totals sum;
  std::size_t i = 0;
  const auto advance = [&](std::int64_t t) { while (i + 1 < steps.size() && steps[i + 1].t <= t) ++i; };
  for (auto t = from; t < to; t += settings.slot_seconds) {
    SlotView slot{trace.mean(t, t + settings.slot_seconds), ~0U};
    for (auto s = t; s < t + settings.slot_seconds; ++s) {
      advance(s);
      slot.ready_min = std::min(slot.ready_min, steps[i].ready);
      const double demand = trace.demand(s);
      judge_second(sum, demand, ideal_replicas(demand, settings.slo_share, min_replicas), steps[i]);
    }
    judge_slot(sum, slot, settings.slo_share);
  }
  const double seconds = static_cast<double>(to - from), slots = static_cast<double>(sum.slots);
  Score result;
  if (sum.slots == 0) return result;
  result.days = seconds / day_seconds;
  const auto moves = count_moves(steps, from);
  result.cost = sum.launched / sum.ideal;
  result.slo_percent = 100.0 * static_cast<double>(sum.late) / slots;
  result.over_percent = 100.0 * static_cast<double>(sum.overfull) / slots;
  result.shed_ppm = sum.demand > 0 ? 1e6 * sum.shed / sum.demand : 0;
  result.flaps_per_day = moves.flaps / result.days;
  result.actions_per_day = moves.actions / result.days;
  result.under_accuracy = 100.0 * sum.under / seconds;
  result.over_accuracy = 100.0 * sum.over / seconds;
  result.under_time = 100.0 * sum.under_seconds / seconds;
  result.over_time = 100.0 * sum.over_seconds / seconds;
  result.instability = instability_percent(trace, steps, from, to, settings.slo_share, min_replicas);
  result.replica_hours = sum.launched / 3600;
  result.ideal_hours = sum.ideal / 3600;
  return result;
}

}  // namespace nlb::scale
