// The judge's own test, always running: two random halves of stable are judged as if one were a canary. Nothing is wrong with either,
// so every alarm is a false one, and their rate is the live false-alarm rate. When it is above alpha beyond chance (binomial, 5 %),
// real traffic varies in ways the model doesn't know: r0 is raised by a tenth, and it is said.
// One owner, not thread safe.
#pragma once

#include <cstdint>
#include <optional>

#include "libnlb/rollout/evidence.hpp"

namespace nlb::rollout {

inline constexpr double tolerated_ratio_max = 3;
inline constexpr std::int64_t aa_trial_seconds = 1800;   // about one rollout

class AaTest {
 public:
  explicit AaTest(double alpha = 0.01, double tolerated_ratio = 1.25);

  // Counts of the two halves, the one called canary and the one called stable (split by a hash of the client, half each). Returns the
  // new tolerated ratio when this second made it rise.
  std::optional<double> book(std::int64_t second, const Counts& halves);

  std::uint64_t trials() const { return trials_; }   // that ended
  std::uint64_t alarms() const { return alarms_; }
  double alarm_rate() const { return trials_ == 0 ? 0 : static_cast<double>(alarms_) / static_cast<double>(trials_); }
  double tolerated_ratio() const { return tolerated_ratio_; }

  struct Saved { std::uint64_t trials = 0, alarms = 0, trials_at_ratio = 0, alarms_at_ratio = 0; double tolerated_ratio = 1.25; };
  Saved save() const { return {trials_, alarms_, trials_here_, alarms_here_, tolerated_ratio_}; }
  static AaTest restore(const Saved& saved, double alpha);   // the trial that was running begins again

 private:
  std::optional<double> end_trial(bool alarm);
  double alpha_, tolerated_ratio_;
  Evidence evidence_;
  std::optional<std::int64_t> trial_from_;
  std::uint64_t trials_ = 0, alarms_ = 0, trials_here_ = 0, alarms_here_ = 0;   // here: since r0 was last raised
};

// P(at least `hits` of `trials`), each with probability p.
double binomial_tail(std::uint64_t trials, std::uint64_t hits, double p);

}  // namespace nlb::rollout
