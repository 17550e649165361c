// A token bucket in one atomic word: the generic cell rate algorithm (ITU-T I.371, annex A).
//
// The word is the theoretical arrival time: when the bucket will be full again. A take moves it forward by the cost
// of the tokens; it is refused when that would put it further ahead of now than a whole burst. No refill step, no
// stored clock, nothing to go out of sync: a clock that goes backwards only makes the bucket look emptier. Time is
// counted in sixteenths of a nanosecond, so that whole tokens are exact (n takes at one instant with burst b:
// exactly b pass) up to 10 million a second, and within 0.1 % above; the word lasts 18 years.
//
// Rate is the immutable rule, Level the shared state: a reload may change the one and keep the other.
#pragma once

#include <atomic>
#include <cstdint>

#include "libnlb/core/time.hpp"

namespace nlb::limit {

using Level = std::atomic<std::int64_t>;   // theoretical arrival time in ticks; 0: full

class Rate {
 public:
  static constexpr std::int64_t ticks_per_ns = 16;
  constexpr Rate() = default;
  // Tokens a second, and the most that can be taken at one instant (at least 1). Limits: 1e-6 to 1e12 a second; a
  // burst that would take more than 4 years to refill is cut to that.
  Rate(double per_second, double burst);

  bool limited() const { return interval_q_ != 0; }
  // Takes all `tokens` or none. Any thread; one compare-and-swap when nobody else is at it.
  bool take(Level& level, MonoTime now, std::uint64_t tokens = 1) const {
    const auto t = ticks(now), price = cost(tokens);
    auto seen = level.load(std::memory_order_relaxed);
    for (;;) {
      const auto next = (seen > t ? seen : t) + price;
      if (next - t > tolerance_) return false;
      if (level.compare_exchange_weak(seen, next, std::memory_order_relaxed)) return true;
    }
  }
  // Puts tokens back that the same thread took; never fills above the burst.
  void give_back(Level& level, std::uint64_t tokens = 1) const { level.fetch_sub(cost(tokens), std::memory_order_relaxed); }
  // Takes even what isn't there and says how long to wait until the debt is paid: for bytes, which have been read
  // already.
  Duration charge(Level& level, MonoTime now, std::uint64_t tokens) const;
  double available(const Level& level, MonoTime now) const;                                   // 0 to burst
  Duration retry_after(const Level& level, MonoTime now, std::uint64_t tokens = 1) const;     // Duration::max(): more than the burst
  // The same share of the burst under another rate: what a level is worth after a reload.
  void rescale(Level& level, const Rate& before, MonoTime now) const;
  bool full(const Level& level, MonoTime now) const { return level.load(std::memory_order_relaxed) <= ticks(now); }
  bool operator==(const Rate&) const = default;

 private:
  __extension__ typedef unsigned __int128 Wide;
  static constexpr int fraction_bits = 20;
  static std::int64_t ticks(MonoTime t) { return t.time_since_epoch().count() * ticks_per_ns; }
  std::int64_t cost(std::uint64_t tokens) const {
    const auto wide = (static_cast<Wide>(tokens) * interval_q_) >> fraction_bits;
    return wide < static_cast<Wide>(ticks_max) ? static_cast<std::int64_t>(wide) : ticks_max;
  }
  static constexpr std::int64_t ticks_max = std::int64_t{1} << 61;   // 4.5 years: twice this and now still fit the word

  std::uint64_t interval_q_ = 0;   // ticks per token with 20 bits of fraction; 0: not limited
  std::int64_t tolerance_ = 0;     // ticks of a whole burst
};

// A rate with its own level.
class Bucket {
 public:
  Bucket(double per_second, double burst) : rate_(per_second, burst) {}
  bool take(MonoTime now, std::uint64_t tokens = 1) { return rate_.take(level_, now, tokens); }
  void give_back(std::uint64_t tokens = 1) { rate_.give_back(level_, tokens); }
  double available(MonoTime now) const { return rate_.available(level_, now); }
  Duration retry_after(MonoTime now, std::uint64_t tokens = 1) const { return rate_.retry_after(level_, now, tokens); }

 private:
  Rate rate_;
  Level level_{0};
};

}  // namespace nlb::limit
