#include "libnlb/rollout/aa.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

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

AaTest::AaTest(JudgeOptions options) : options_(std::move(options)), judge_(options_) {}

AaTest AaTest::restore(const Saved& saved, JudgeOptions options) {
  options.tolerated_ratio = saved.tolerated_ratio;
  AaTest made(std::move(options));
  made.trials_ = saved.trials;
  made.alarms_ = saved.alarms;
  made.trials_here_ = saved.trials_at_ratio;
  made.alarms_here_ = saved.alarms_at_ratio;
  made.last_alarm_ = saved.last_alarm;
  return made;
}

std::size_t AaTest::strongest() const {
  std::size_t found = 0;
  for (std::size_t i = 1; i < options_.signals.size(); ++i)
    if (judge_.evidence(i).log_e() - judge_.evidence(i).log_alarm() > judge_.evidence(found).log_e() - judge_.evidence(found).log_alarm()) found = i;
  return found;
}

std::optional<double> AaTest::end_trial(bool alarm) {
  ++trials_;
  ++trials_here_;
  alarms_ += alarm;
  alarms_here_ += alarm;
  trial_from_.reset();
  if (alarm) last_alarm_ = judge_.numbers(strongest());
  const bool too_often = alarm && binomial_tail(trials_here_, alarms_here_, options_.alpha) < beyond_chance;
  const bool rises = too_often && options_.tolerated_ratio < tolerated_ratio_max;
  if (rises) {
    options_.tolerated_ratio = std::min(options_.tolerated_ratio * raise, tolerated_ratio_max);
    trials_here_ = alarms_here_ = 0;
  }
  judge_ = Judge(options_);
  return rises ? std::optional(options_.tolerated_ratio) : std::nullopt;
}

std::optional<double> AaTest::book(std::int64_t second, Sample halves) {
  if (!trial_from_) trial_from_ = second;
  now_ = halves.second = second;
  halves.weight = 0.5;
  judge_.book(halves);
  if (judge_.evidence(strongest()).alarm()) return end_trial(true);
  if (second - *trial_from_ + 1 >= aa_trial_seconds) return end_trial(false);
  return std::nullopt;
}

std::string AaTest::explain() const {
  char text[240];
  std::snprintf(text, sizeof text, "the judge's own test, two halves of stable: %llu false alarms in %llu trials of %lld min (%.2g %%, alpha %.2g %%), tolerated ratio %.3g",
                static_cast<unsigned long long>(alarms_), static_cast<unsigned long long>(trials_), static_cast<long long>(aa_trial_seconds / 60),
                100 * alarm_rate(), 100 * options_.alpha, options_.tolerated_ratio);
  std::string line = text;
  if (trial_from_) {
    const auto most = strongest();
    std::snprintf(text, sizeof text, "; a trial runs since %lld s, its strongest evidence is %.2g : 1 of %.3g : 1 (%s)", static_cast<long long>(now_ - *trial_from_ + 1),
                  std::exp(judge_.evidence(most).log_e()), std::exp(judge_.evidence(most).log_alarm()), options_.signals[most].name.c_str());
    line += text;
  }
  return line + (last_alarm_.empty() ? "" : "; the last false alarm: " + last_alarm_);
}

}  // namespace nlb::rollout
