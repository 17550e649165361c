#include "libnlb/limit/bucket.hpp"

#include <algorithm>
#include <cmath>

namespace nlb::limit {

Rate::Rate(double per_second, double burst) {
  if (!(per_second > 0)) return;   // also not a number: not limited
  const double rate = std::clamp(per_second, 1e-6, 1e12);
  const double ticks_per_token = 1e9 * static_cast<double>(ticks_per_ns) / rate;
  constexpr double one = 1 << fraction_bits;
  // Whole ticks make sums of single tokens exact; from 1,024 ticks on, rounding to them costs less than 0.05 % of the
  // rate.
  const double interval = ticks_per_token >= 1024 ? std::min(std::round(ticks_per_token), 0x1p43) * one
                                                  : std::max(std::round(ticks_per_token * one), 1.0);
  interval_q_ = static_cast<std::uint64_t>(interval);
  // A whole burst costs what its tokens cost one by one (a double holds that up to 53 bits), and always less than a
  // cost cut to ticks_max.
  const double whole = std::max(burst, 1.0) * (interval / one);
  const bool exact = std::floor(burst) == burst && burst >= 1 && burst < 0x1p53;
  tolerance_ = !(whole < static_cast<double>(ticks_max)) ? ticks_max - 1
               : exact                                   ? cost(static_cast<std::uint64_t>(burst))
                                                         : static_cast<std::int64_t>(whole);
}

Duration Rate::charge(Level& level, MonoTime now, std::uint64_t tokens) const {
  if (!limited()) return Duration::zero();
  const auto t = ticks(now), price = cost(tokens);
  auto seen = level.load(std::memory_order_relaxed);
  std::int64_t next;
  do {
    next = std::min((seen > t ? seen : t) + price, t + ticks_max);
  } while (!level.compare_exchange_weak(seen, next, std::memory_order_relaxed));
  const auto debt = next - t - tolerance_;
  return debt > 0 ? Duration(debt / ticks_per_ns + 1) : Duration::zero();
}

double Rate::available(const Level& level, MonoTime now) const {
  const auto ahead = std::max<std::int64_t>(level.load(std::memory_order_relaxed) - ticks(now), 0);
  const double left = static_cast<double>(std::max<std::int64_t>(tolerance_ - ahead, 0));
  return limited() ? left * (1 << fraction_bits) / static_cast<double>(interval_q_) : 0;
}

Duration Rate::retry_after(const Level& level, MonoTime now, std::uint64_t tokens) const {
  const auto price = cost(tokens);
  if (price > tolerance_) return Duration::max();
  const auto wait = std::max(level.load(std::memory_order_relaxed), ticks(now)) + price - tolerance_ - ticks(now);
  return wait > 0 ? Duration((wait + ticks_per_ns - 1) / ticks_per_ns) : Duration::zero();
}

void Rate::rescale(Level& level, const Rate& before, MonoTime now) const {
  const auto t = ticks(now), seen = level.load(std::memory_order_relaxed);
  if (seen <= t || before == *this || before.tolerance_ == 0) return;
  const double share = std::min(static_cast<double>(seen - t) / static_cast<double>(before.tolerance_), 1.0);
  level.store(t + static_cast<std::int64_t>(share * static_cast<double>(tolerance_)), std::memory_order_relaxed);
}

}  // namespace nlb::limit
