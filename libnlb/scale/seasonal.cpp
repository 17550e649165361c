#include "libnlb/scale/seasonal.hpp"

#include <algorithm>
#include <chrono>

namespace nlb::scale {
namespace {

constexpr double newest_weight = 0.35, level_min = 0.5, level_max = 2;
constexpr std::size_t level_minutes = 10;
constexpr Duration furthest = 2h;

std::int64_t minute_of(WallTime t) { return std::chrono::floor<std::chrono::minutes>(t.time_since_epoch()).count(); }
std::size_t of_day(std::int64_t minute) { return static_cast<std::size_t>((minute % 1440 + 1440) % 1440); }

}  // namespace

void Seasonal::add(WallTime now, double load) {
  const auto minute = minute_of(now);
  if (minute != minute_) close_minute(minute);
  peak_ = std::max(peak_, load);
}

void Seasonal::close_minute(std::int64_t next) {
  if (minute_ >= 0) {
    auto& usual = profile_[of_day(minute_)];
    past_.push_back({peak_, usual});
    if (past_.size() > level_minutes) past_.pop_front();
    usual = usual > 0 ? usual + newest_weight * (peak_ - usual) : peak_;
  }
  if (next != minute_ + 1) past_.clear();   // a gap, or a clock that was set
  minute_ = next;
  peak_ = 0;
}

std::optional<double> Seasonal::level() const {
  if (past_.size() < level_minutes) return std::nullopt;
  double actual = 0, expected = 0;
  for (const auto& minute : past_) {
    if (minute.expected <= 0) return std::nullopt;
    actual += minute.actual;
    expected += minute.expected;
  }
  return std::clamp(actual / expected, level_min, level_max);
}

std::optional<double> Seasonal::peak(WallTime now, Duration ahead) const {
  const auto today = level();
  if (!today) return std::nullopt;
  double usual = 0;
  const auto last = minute_of(now + std::min(ahead, furthest));
  for (auto minute = minute_of(now); minute <= last; ++minute) usual = std::max(usual, profile_[of_day(minute)]);
  return usual * *today;
}

}  // namespace nlb::scale
