#include "libnlb/rollout/aa.hpp"

#include <algorithm>
#include <cmath>

namespace nlb::rollout {
namespace {

constexpr double beyond_chance = 0.05;
constexpr double raise = 1.1;

}  // namespace

double binomial_tail(std::uint64_t trials, std::uint64_t hits, double p) {
  double below = 0, term = std::pow(1 - p, static_cast<double>(trials));
  for (std::uint64_t k = 0; k < hits && k <= trials; ++k) {
    below += term;
    term *= p / (1 - p) * static_cast<double>(trials - k) / static_cast<double>(k + 1);
  }
  return std::max(0.0, 1 - below);
}

AaTest::AaTest(double alpha, double tolerated_ratio) : alpha_(alpha), tolerated_ratio_(tolerated_ratio), evidence_(tolerated_ratio, alpha) {}

AaTest AaTest::restore(const Saved& saved, double alpha) {
  AaTest made(alpha, saved.tolerated_ratio);
  made.trials_ = saved.trials;
  made.alarms_ = saved.alarms;
  made.trials_here_ = saved.trials_at_ratio;
  made.alarms_here_ = saved.alarms_at_ratio;
  return made;
}

std::optional<double> AaTest::end_trial(bool alarm) {
  ++trials_;
  ++trials_here_;
  alarms_ += alarm;
  alarms_here_ += alarm;
  trial_from_.reset();
  const bool too_often = alarm && binomial_tail(trials_here_, alarms_here_, alpha_) < beyond_chance;
  const bool rises = too_often && tolerated_ratio_ < tolerated_ratio_max;
  if (rises) {
    tolerated_ratio_ = std::min(tolerated_ratio_ * raise, tolerated_ratio_max);
    trials_here_ = alarms_here_ = 0;
  }
  evidence_ = Evidence(tolerated_ratio_, alpha_);
  return rises ? std::optional(tolerated_ratio_) : std::nullopt;
}

std::optional<double> AaTest::book(std::int64_t second, const Counts& halves) {
  if (!trial_from_) trial_from_ = second;
  evidence_.book(second, halves, 0.5);
  if (evidence_.alarm()) return end_trial(true);
  if (second - *trial_from_ + 1 >= aa_trial_seconds) return end_trial(false);
  return std::nullopt;
}

}  // namespace nlb::rollout
