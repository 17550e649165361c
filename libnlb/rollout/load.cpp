#include "libnlb/rollout/load.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numbers>
#include <optional>
#include <string>

namespace nlb::rollout {
namespace {

constexpr double incident_seconds = 180, incident_factor = 30;
constexpr double drift_seconds = 600, drift_factor = 3;
constexpr double rate_max = 0.6;
constexpr double inversion_below = 10;   // mean of the binomial

std::uint64_t binomial_by_inversion(Rng& rng, std::uint64_t n, double p) {
  const double ratio = p / (1 - p);
  double probability = std::pow(1 - p, static_cast<double>(n)), u = rng.uniform();
  std::uint64_t k = 0;
  while (u > probability && k < n) {
    u -= probability;
    probability *= ratio * static_cast<double>(n - k) / static_cast<double>(k + 1);
    ++k;
  }
  return k;
}

double stirling_tail(double k) {   // log k! minus Stirling's approximation
  constexpr double small[] = {0.08106146679532726, 0.04134069595540929, 0.02767792568499834, 0.02079067210376509, 0.01664469118982119,
                              0.01387612882307075, 0.01189670994589177, 0.01041126526197209, 0.009255462182712733, 0.008330563433362871};
  if (k < 10) return small[static_cast<std::size_t>(k)];
  const double square = (k + 1) * (k + 1);
  return (1.0 / 12 - (1.0 / 360 - 1.0 / 1260 / square) / square) / (k + 1);
}

std::uint64_t binomial_by_rejection(Rng& rng, std::uint64_t n, double p) {
  const auto count = static_cast<double>(n);
  const double spread = std::sqrt(count * p * (1 - p));
  const double b = 1.15 + 2.53 * spread, a = -0.0873 + 0.0248 * b + 0.01 * p, c = count * p + 0.5;
  const double v_r = 0.92 - 4.2 / b, alpha = (2.83 + 5.1 / b) * spread, odds = p / (1 - p), mode = std::floor((count + 1) * p);
  for (;;) {
    const double u = rng.uniform() - 0.5;
    double v = rng.uniform();
    const double us = 0.5 - std::abs(u), k = std::floor((2 * a / us + b) * u + c);
    if (us >= 0.07 && v <= v_r) return static_cast<std::uint64_t>(k);
    if (k < 0 || k > count) continue;
    v = std::log(v * alpha / (a / (us * us) + b));
    const double bound = (mode + 0.5) * std::log((mode + 1) / (odds * (count - mode + 1))) +
                         (count + 1) * std::log((count - mode + 1) / (count - k + 1)) +
                         (k + 0.5) * std::log(odds * (count - k + 1) / (k + 1)) + stirling_tail(mode) +
                         stirling_tail(count - mode) - stirling_tail(k) - stirling_tail(count - k);
    if (v <= bound) return static_cast<std::uint64_t>(k);
  }
}

std::optional<double> to_number(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

}  // namespace

Result<Effect> parse_effect(std::string_view text) {
  if (text == "none") return Effect{};
  const auto value = text.size() > 1 ? to_number(text.substr(1)) : std::nullopt;
  if (value && text[0] == 'x' && *value > 0) return Effect{*value, 0};
  if (value && text[0] == '+' && *value >= 0 && *value <= 1) return Effect{1, *value};
  return fail(ErrorKind::usage, "effect '" + std::string(text) +
                                    "' can't be read: it is none, x and a factor above 0, or + and a share up to 1: write x5 or +0.05");
}

std::uint64_t binomial(Rng& rng, std::uint64_t n, double p) {
  if (n == 0 || p <= 0) return 0;
  if (p >= 1) return n;
  if (p > 0.5) return n - binomial(rng, n, 1 - p);
  return static_cast<double>(n) * p < inversion_below ? binomial_by_inversion(rng, n, p) : binomial_by_rejection(rng, n, p);
}

Load::Load(const Scenario& scenario, std::uint64_t seed) : scenario_(scenario), rng_(seed) {
  incident_from_ = rng_.uniform() * scenario.ladder_seconds;
  phase_ = rng_.uniform();
}

double Load::base_rate() const {
  const auto now = static_cast<double>(second_);
  const bool drifts = scenario_.incident == Incident::drift || scenario_.incident == Incident::both;
  const bool has_incident = scenario_.incident == Incident::shared || scenario_.incident == Incident::both;
  const bool in_incident = has_incident && now >= incident_from_ && now < incident_from_ + incident_seconds;
  const double drift = drifts ? std::pow(drift_factor, std::sin(2 * std::numbers::pi * (now / drift_seconds + phase_))) : 1;
  return scenario_.base * drift * (in_incident ? incident_factor : 1);
}

void Load::break_clients(std::uint64_t canary, std::uint64_t stable, double weight) {
  for (std::uint64_t i = 0; i < canary; ++i) broken_.push_back({rng_(), rng_.uniform() * weight, scenario_.burst});
  for (std::uint64_t i = 0; i < stable; ++i) broken_.push_back({rng_(), weight + rng_.uniform() * (1 - weight), scenario_.burst});
}

void Load::fail_clients(double weight, Second& second) {
  for (auto& client : broken_) {
    const bool canary = client.bucket < weight;
    const bool counts = failing_.first_failure(client.key, second_) || scenario_.count_by == CountBy::raw;
    second.canary_failures += canary;
    (canary ? second.counts.canary_bad : second.counts.stable_bad) += counts;
    --client.left;
  }
  std::erase_if(broken_, [](const BrokenClient& client) { return client.left == 0; });
}

Load::Second Load::next(double canary_weight) {
  attempts_owed_ += scenario_.rate;
  const auto attempts = static_cast<std::uint64_t>(attempts_owed_);
  attempts_owed_ -= static_cast<double>(attempts);
  Second second;
  auto& counts = second.counts;
  counts.canary_attempts = binomial(rng_, attempts, canary_weight);
  counts.stable_attempts = attempts - counts.canary_attempts;
  const double ceiling = std::max(rate_max, scenario_.base), base = std::min(base_rate(), ceiling);
  const double worse = std::min(base * scenario_.effect.factor + scenario_.effect.added, 1.0), burst = scenario_.burst;
  const auto canary = binomial(rng_, counts.canary_attempts, worse / burst), stable = binomial(rng_, counts.stable_attempts, base / burst);
  if (scenario_.burst == 1) {   // every failing client is a new one
    second.canary_failures = counts.canary_bad = canary;
    counts.stable_bad = stable;
  } else {
    break_clients(canary, stable, canary_weight);
    fail_clients(canary_weight, second);
  }
  ++second_;
  return second;
}

}  // namespace nlb::rollout
