// Continuous signals (time to first byte, session length, bytes back) as counts: how many sessions lie beyond a quantile of stable's
// own recent past. No distribution is assumed, and tails are seen.
//
// The threshold is taken from stable's last ten whole minutes, refreshed each minute, and applied to the minute that follows, to both
// colours: it never depends on what it is applied to. Thresholds are edges of the histogram's buckets; the share beyond one is then
// at most the quantile's, and the judge's test holds whatever that share is.
#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <vector>

#include "libnlb/rollout/evidence.hpp"

namespace nlb::rollout {

enum class Tail : std::uint8_t { above, below };   // of the quantile: too slow, too short

class Exceedances {   // one signal of one site; one owner
 public:
  // quantile in (0, 1): 0.95 with Tail::above counts the slowest 5 %, 0.01 with Tail::below the shortest 1 %.
  Exceedances(double quantile, Tail tail) : quantile_(quantile), tail_(tail) {}

  // Histograms of one second of attempts, buckets in rising order and the same for both colours and all seconds. Returns attempts and
  // exceedances; no attempts while there is no threshold yet (a minute, and 100 sessions of stable). Seconds don't go backwards
  // by more than their minute; older ones are judged by the present threshold.
  Counts book(std::int64_t second, std::span<const std::uint64_t> canary, std::span<const std::uint64_t> stable);

  // The same by the present threshold, without learning from it: for other parts of a second that book() has seen.
  Counts count(std::span<const std::uint64_t> canary, std::span<const std::uint64_t> stable) const;

  bool ready() const { return ready_; }
  std::size_t threshold() const { return threshold_; }   // buckets beyond this index exceed; precondition: ready()

 private:
  void begin_minute(std::int64_t minute);
  std::uint64_t beyond(std::span<const std::uint64_t> histogram) const;

  double quantile_;
  Tail tail_;
  bool ready_ = false;
  std::size_t threshold_ = 0;
  std::int64_t minute_ = INT64_MIN;
  std::vector<std::uint64_t> current_;
  struct Minute { std::int64_t at; std::vector<std::uint64_t> histogram; };
  std::deque<Minute> past_;
};

}  // namespace nlb::rollout
