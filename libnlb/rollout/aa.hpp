// The judge's own test, always running: two random halves of stable are judged as if one were a canary, by every signal. Nothing is wrong
// with either, so every alarm is a false one, and their rate is the live false-alarm rate. When it is above alpha beyond chance (binomial,
// 5 %), real traffic varies in ways the model doesn't know: r0 is raised by a tenth, and it is said.
// One owner, not thread safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "libnlb/rollout/judge.hpp"

namespace nlb::rollout {

inline constexpr double tolerated_ratio_max = 3;
inline constexpr std::int64_t aa_trial_seconds = 1800;   // about one rollout

class AaTest {
 public:
  explicit AaTest(JudgeOptions options = {});

  // What the two halves did, the one called canary and the one called stable (split by a hash of the client, half each). Returns the
  // new tolerated ratio when this second made it rise. `second` never goes back.
  std::optional<double> book(std::int64_t second, Sample halves);

  std::uint64_t trials() const { return trials_; }   // that ended
  std::uint64_t alarms() const { return alarms_; }
  double alarm_rate() const { return trials_ == 0 ? 0 : static_cast<double>(alarms_) / static_cast<double>(trials_); }
  double tolerated_ratio() const { return options_.tolerated_ratio; }
  bool running() const { return trial_from_.has_value(); }
  std::string explain() const;                       // a line: trials, alarms, the running trial, the last false alarm's numbers

  struct Saved { std::uint64_t trials = 0, alarms = 0, trials_at_ratio = 0, alarms_at_ratio = 0; double tolerated_ratio = 1.25; std::string last_alarm; };
  Saved save() const { return {trials_, alarms_, trials_here_, alarms_here_, options_.tolerated_ratio, last_alarm_}; }
  static AaTest restore(const Saved& saved, JudgeOptions options);   // the trial that was running begins again

 private:
  std::optional<double> end_trial(bool alarm);
  std::size_t strongest() const;                     // the signal with the most evidence
  JudgeOptions options_;
  Judge judge_;
  std::optional<std::int64_t> trial_from_;
  std::int64_t now_ = 0;
  std::uint64_t trials_ = 0, alarms_ = 0, trials_here_ = 0, alarms_here_ = 0;   // here: since r0 was last raised
  std::string last_alarm_;
};

// P(at least `hits` of `trials`), each with probability p.
double binomial_tail(std::uint64_t trials, std::uint64_t hits, double p);

}  // namespace nlb::rollout
