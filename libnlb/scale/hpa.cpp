#include "libnlb/scale/hpa.hpp"

#include <algorithm>
#include <cmath>

namespace nlb::scale {
namespace {

constexpr std::size_t events_max = 4096;
constexpr double replicas_max = 1e9;   // what a count may be before the limits cut it; keeps the conversion defined

std::uint32_t to_count(double replicas) {
  return static_cast<std::uint32_t>(std::clamp(replicas, 0.0, replicas_max));
}
std::uint32_t to_count(std::int64_t replicas) {
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(replicas, 0, static_cast<std::int64_t>(replicas_max)));
}

struct Mean { double sum = 0; std::size_t n = 0; double ratio(double target) const { return sum / static_cast<double>(n) / target; } };

Mean mean_of_measured(std::span<const Pod> pods) {
  Mean m;
  for (const auto& pod : pods)
    if (pod.ready && pod.value) { m.sum += *pod.value; ++m.n; }
  return m;
}

// replica_calculator.go: missing pods pull against the direction, unready pods against a rise.
Mean with_assumptions(Mean m, std::span<const Pod> pods, double ratio, double assumed_full) {
  for (const auto& pod : pods) {
    const bool missing = pod.ready && !pod.value;
    if (ratio < 1 && missing) { m.sum += assumed_full; ++m.n; }
    if (ratio > 1 && (missing || !pod.ready)) ++m.n;
  }
  return m;
}

}  // namespace

std::uint32_t want_external(std::uint32_t current, double total, double target, double tolerance) {
  const double ratio = total / (target * current);
  if (std::abs(1.0 - ratio) <= tolerance) return current;
  return to_count(std::ceil(total / target));
}

std::optional<std::uint32_t> want_per_pod(std::uint32_t current, std::span<const Pod> pods, double target, double tolerance, double assumed_full) {
  const auto measured = mean_of_measured(pods);
  if (measured.n == 0) return std::nullopt;
  const double ratio = measured.ratio(target);
  const auto adjusted = with_assumptions(measured, pods, ratio, assumed_full);
  if (adjusted.n == measured.n)
    return std::abs(1.0 - ratio) <= tolerance ? current : to_count(std::ceil(ratio * static_cast<double>(measured.n)));
  const double again = adjusted.ratio(target);
  const bool flipped = (ratio < 1 && again > 1) || (ratio > 1 && again < 1);
  if (std::abs(1.0 - again) <= tolerance || flipped) return current;
  const auto want = to_count(std::ceil(again * static_cast<double>(adjusted.n)));
  const bool against = (again < 1 && want > current) || (again > 1 && want < current);
  return against ? current : want;
}

bool cpu_ready(const PodAge& pod) {
  if (pod.since_start < 5min) return pod.ready && pod.since_ready_change >= pod.metric_window + pod.metric_age;
  const auto unready_since_start = pod.since_start - pod.since_ready_change;
  return pod.ready || unready_since_start > 30s;
}

Hpa::Hpa(Limits limits, HpaSettings settings)
    : limits_(limits), settings_(std::move(settings)), up_(settings_.up.window), down_(settings_.down.window) {}

Decision Hpa::decide(Now now, const Inputs& inputs, std::span<const std::optional<std::uint32_t>> wishes) {
  auto d = begin(now, inputs);
  const auto current = inputs.ordered;
  if (current == 0 && limits_.min > 0) { d.say(Rule::off, 0); return d; }
  if (!started_) {   // recordInitialRecommendation
    up_.add(now.mono, current);
    down_.add(now.mono, current);
    started_ = true;
  }
  if (current > limits_.max || current < limits_.min) { apply_limits(d, limits_); return d; }

  std::optional<std::uint32_t> largest;
  bool failed = false;
  for (const auto& wish : wishes) {
    if (!wish) failed = true;
    else largest = std::max(largest.value_or(0), *wish);
  }
  if (!largest || (failed && *largest < current)) {
    d.say(Rule::missing, current, static_cast<double>(largest.value_or(0)));
    return d;
  }
  const auto want = std::clamp(*largest, limits_.min, limits_.max);
  d.say(Rule::metric, want, static_cast<double>(*largest));
  stabilise(d, want);
  if (d.wanted > current) {
    if (const auto limit = up_limit(now.mono, current); d.wanted > limit) d.say(Rule::rate_up, limit, limit);
  } else if (d.wanted < current) {
    if (const auto limit = down_limit(now.mono, current); d.wanted < limit) d.say(Rule::rate_down, limit, limit);
  }
  apply_limits(d, limits_);
  return d;
}

void Hpa::stabilise(Decision& d, std::uint32_t want) {
  up_.expire(d.at);
  down_.expire(d.at);
  const auto up = std::min(want, up_.best().value_or(want));
  const auto down = std::max(want, down_.best().value_or(want));
  auto stable = d.current;
  if (stable < up) stable = up;
  if (stable > down) stable = down;
  if (stable != want) d.say(stable < want ? Rule::stabilise_up : Rule::stabilise_down, stable, stable < want ? up : down);
  up_.add(d.at, want);   // the wish itself, not what became of it
  down_.add(d.at, want);
}

std::int64_t Hpa::start_of_period(MonoTime now, std::uint32_t current, Duration period) const {
  std::int64_t start = current;
  for (auto event = events_.rbegin(); event != events_.rend() && now - event->at < period; ++event) start -= event->value;
  return start;
}

std::uint32_t Hpa::up_limit(MonoTime now, std::uint32_t current) const {
  if (settings_.up.select == Select::disabled) return current;
  std::optional<std::uint32_t> limit;
  for (const auto& policy : settings_.up.policies) {
    const auto start = start_of_period(now, current, policy.period);
    const auto proposed = policy.kind == RatePolicy::Kind::pods
        ? to_count(start + policy.value)
        : to_count(std::ceil(static_cast<double>(start) * (1.0 + policy.value / 100.0)));
    if (!limit) limit = proposed;
    limit = settings_.up.select == Select::max ? std::max(*limit, proposed) : std::min(*limit, proposed);
  }
  return std::max(limit.value_or(current), current);
}

std::uint32_t Hpa::down_limit(MonoTime now, std::uint32_t current) const {
  if (settings_.down.select == Select::disabled) return current;
  std::optional<std::uint32_t> limit;
  for (const auto& policy : settings_.down.policies) {
    const auto start = start_of_period(now, current, policy.period);
    const auto proposed = policy.kind == RatePolicy::Kind::pods
        ? to_count(start - policy.value)
        : to_count(std::floor(static_cast<double>(start) * (1.0 - policy.value / 100.0)));
    if (!limit) limit = proposed;
    limit = settings_.down.select == Select::max ? std::min(*limit, proposed) : std::max(*limit, proposed);
  }
  return std::min(limit.value_or(current), current);
}

void Hpa::applied(MonoTime at, std::uint32_t from, std::uint32_t to) {
  if (from == to) return;
  events_.push_back({at, std::int64_t{to} - std::int64_t{from}});
  while (events_.size() > events_max || at - events_.front().at > 30min) events_.pop_front();
}

}  // namespace nlb::scale
