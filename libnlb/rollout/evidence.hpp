// The evidence that a canary fails more often than stable: one e-process for one signal.
//
// Given that a bad event happened, it is the canary's with probability q0 = r0*s / (r0*s + 1 - s), where s is the canary's share of
// attempts, if the canary's risk is at most r0 times stable's. The unknown base rate cancels, so a shared incident, a daily rhythm or
// a new weight can't fool it. Each alternative rho bets that the risk is rho*r0; E is the mean of the bets' capitals. Under "not worse
// than r0" E is a non-negative supermartingale, so P(ever E >= 1/alpha) <= alpha (Ville): look every second, as long as you like.
//
// * Rare events use that form. Above 10 % bad, attempts are drawn without replacement and the exact conditional law of a 2x2 table is
//   Fisher's noncentral hypergeometric: the two-sample Bernoulli form of the same bet, with odds in place of risks.
// * The share is that of the last minute at the same weight, not that of one second: a second in which the canary failed is one with
//   more canary attempts than usual, and conditioning on it would hide a third of the evidence at 20 attempts a second. A second whose
//   split doesn't fit the minute (4 sigma) is judged by its own counts.
// * Capital beyond 1/alpha is worth nothing, and one more canary failure often multiplies it by 5 to 40. So each bet is truncated at
//   the alarm, and what that saves under q0 is spent as a boost on the other outcomes: still a supermartingale, a tenth fewer failures.
// * Outcomes are booked in the second of their attempt; one that comes late is a bet at that second's share.
//
// Sources: Ville 1939; Turner, Ly and Gruenwald, "Generic E-variables for exact sequential k-sample tests", 2024; Fischer and Ramdas,
// "Improving the (approximate) sequential probability ratio test by avoiding overshoot", 2024; Fisher 1935.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace nlb::rollout {

// Attempts and bad events of one second, by colour. Bad: distinct failing clients (distinct.hpp), or exceedances (exceed.hpp).
struct Counts {
  std::uint64_t canary_attempts = 0, stable_attempts = 0, canary_bad = 0, stable_bad = 0;
  Counts& operator+=(const Counts& other);
  friend bool operator==(const Counts&, const Counts&) = default;
};

inline constexpr std::size_t alternative_count = 7;
inline constexpr std::array<double, alternative_count> alternatives = {1.5, 2, 3, 5, 10, 30, 100};
inline constexpr std::array<double, alternative_count> priors = {1 / 7., 1 / 7., 1 / 7., 1 / 7., 1 / 7., 1 / 7., 1 / 7.};
inline constexpr double bernoulli_above = 0.10;       // stable's rate at which the two-sample Bernoulli form takes over
inline constexpr std::size_t seconds_open = 64;       // how late an outcome may be booked; also bounds the share's window

using LogBets = std::array<double, alternative_count>;

// log of each alternative's likelihood ratio for these counts; `share` in (0, 1) is the canary's share of attempts.
LogBets rare_event_bets(const Counts& counts, double share, double tolerated_ratio);
// The same without the assumption that bad events are rare; `base` is stable's rate, which turns the tolerated ratio into odds.
LogBets bernoulli_bets(const Counts& counts, double base, double tolerated_ratio);
double log_mean(const LogBets& bets);   // log of the capital that the priors' mixture has

class Evidence {   // one owner, not thread safe; copy is 4 KiB
 public:
  explicit Evidence(double tolerated_ratio = 1.25, double alpha = 0.01);

  // Adds what became known of attempts made in `second`. `weight` is the canary's weight then, in [0, 1]; 0: not known. Outcomes
  // that come more than a minute late go to the oldest open second. O(1); O(bad events) in the Bernoulli form.
  void book(std::int64_t second, const Counts& found, double weight);

  double log_e() const { return log_e_; }              // natural logarithm
  double log_alarm() const { return log_alarm_; }      // log(1/alpha)
  bool alarm() const { return log_e_ >= log_alarm_; }
  double log_e_not_twice() const { return log_mirror_; }   // evidence *against* "twice as bad as stable": 3 (= log 20) is a pass
  const Counts& total() const { return total_; }
  const LogBets& bets() const { return bets_; }
  double tolerated_ratio() const { return tolerated_ratio_; }
  double share() const;                                // of the last minute at this weight
  double attempts_per_second() const;                  // of both colours, in the same time
  double base_rate() const { return base_; }           // stable's, over about a minute

  // Evidence so far stays; later bets tolerate more (or less).
  void tolerate(double ratio) { tolerated_ratio_ = ratio; }
  // What a restart needs. Seconds that were open are closed: an outcome that comes later still is booked, at the present share.
  struct Saved { LogBets bets{}; double boost = 0, mirror = 0, tolerated_ratio = 1.25, alpha = 0.01, base = 0; Counts total; };
  Saved save() const;
  static Evidence restore(const Saved& saved);

 private:
  struct Second {
    std::int64_t at = -1;
    Counts counts;
    double base = 0;      // stable's rate before this second: the form of the bet must not depend on its outcome
    std::uint32_t window = 0;   // which share window it belongs to
  };
  Second& open(std::int64_t second, double weight);
  double share_for(const Second& second) const;
  void bet(const Counts& found, Second& second);
  double boost_for(std::uint64_t bad, double share) const;

  double tolerated_ratio_, log_alarm_;
  LogBets bets_{};
  double log_boost_ = 0, log_e_ = 0, log_mirror_ = 0, base_ = 0;
  double base_attempts_ = 0;
  Counts total_;
  std::array<Second, seconds_open> seconds_{};
  std::int64_t newest_ = -1;
  std::uint64_t window_canary_ = 0, window_all_ = 0;   // attempts of the open seconds of this window
  double window_weight_ = -1;
  std::uint32_t window_ = 0;
  std::int64_t window_from_ = 0;
};

// Bad events of either colour until an alarm is expected, if the canary's risk is `ratio` times stable's: ln(7/alpha) / KL(q_rho || q0).
double events_to_detect(double share, double ratio, double tolerated_ratio, double alpha);

}  // namespace nlb::rollout
