#include "libnlb/scale/seasonal.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>

namespace nlb::scale {
namespace {

constexpr double newest_weight = 0.35, level_min = 0.5, level_max = 2, error_max = 1;
constexpr std::chrono::minutes level_time{10}, memory{24 * 60};
constexpr std::size_t level_buckets_min = 3;
constexpr Duration furthest = 2h;

}  // namespace

Profile::Profile(std::chrono::minutes period, std::chrono::minutes bucket)
    : width_(bucket), count_(static_cast<std::size_t>(period / bucket)),
      level_buckets_(std::max(level_buckets_min, static_cast<std::size_t>(level_time / bucket))), usual_(count_) {}

std::int64_t Profile::bucket_of(WallTime t) const {
  return std::max<std::int64_t>(0, std::chrono::floor<std::chrono::minutes>(t.time_since_epoch()) / width_);
}

void Profile::add(WallTime now, double load) {
  const auto bucket = bucket_of(now);
  if (bucket != bucket_) close_bucket(bucket);
  peak_ = std::max(peak_, load);
}

void Profile::close_bucket(std::int64_t next) {
  if (bucket_ >= 0) {
    auto& usual = usual_of(bucket_);
    judge(usual);
    past_.push_back({peak_, usual});
    if (past_.size() > level_buckets_) past_.pop_front();
    usual = usual > 0 ? usual + newest_weight * (peak_ - usual) : peak_;
  }
  if (next != bucket_ + 1) past_.clear();   // a gap, or a clock that was set
  bucket_ = next;
  peak_ = 0;
}

void Profile::judge(double expected) {
  const auto today = level();
  if (!today || expected <= 0 || peak_ <= 0) return;
  const double miss = std::min(error_max, std::abs(std::log(peak_ / (expected * *today))));
  error_ = judged_ ? error_ + (miss - error_) * static_cast<double>(width_.count()) / static_cast<double>(memory.count()) : miss;
  judged_ = true;
}

std::optional<double> Profile::level() const {
  if (past_.size() < level_buckets_) return std::nullopt;
  double actual = 0, expected = 0;
  for (const auto& part : past_) {
    if (part.expected <= 0) return std::nullopt;
    actual += part.actual;
    expected += part.expected;
  }
  return std::clamp(actual / expected, level_min, level_max);
}

std::optional<double> Profile::peak(WallTime now, Duration ahead) const {
  const auto today = level();
  if (!today) return std::nullopt;
  double usual = 0;
  const auto last = bucket_of(now + std::min(ahead, furthest));
  for (auto bucket = bucket_of(now); bucket <= last; ++bucket) usual = std::max(usual, usual_of(bucket));
  return usual * *today;
}

void Seasonal::add(WallTime now, double load) {
  day_.add(now, load);
  week_.add(now, load);
}

std::optional<double> Seasonal::peak(WallTime now, Duration ahead) const {
  const auto day = day_.error(), week = week_.error();
  if (week && (!day || *week < *day))
    if (const auto peak = week_.peak(now, ahead)) return peak;
  return day_.peak(now, ahead);
}

}  // namespace nlb::scale
