#include "libnlb/rollout/exceed.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace nlb::rollout {
namespace {

constexpr std::int64_t minutes_kept = 10;
constexpr std::uint64_t sessions_min = 100;

std::uint64_t sum(std::span<const std::uint64_t> histogram) { return std::accumulate(histogram.begin(), histogram.end(), std::uint64_t{0}); }

void add(std::vector<std::uint64_t>& into, std::span<const std::uint64_t> histogram) {
  if (into.size() < histogram.size()) into.resize(histogram.size());
  for (std::size_t i = 0; i < histogram.size(); ++i) into[i] += histogram[i];
}

}  // namespace

void Exceedances::begin_minute(std::int64_t minute) {
  if (!current_.empty()) past_.push_back({minute_, std::move(current_)});
  current_.clear();
  minute_ = minute;
  while (!past_.empty() && past_.front().at < minute - minutes_kept) past_.pop_front();
  std::vector<std::uint64_t> all;
  for (const auto& past : past_) add(all, past.histogram);
  const auto sessions = sum(all);
  ready_ = sessions >= sessions_min;
  if (!ready_) return;
  // The bucket in which the quantile lies isn't beyond it, on either side.
  const double wanted = quantile_ * static_cast<double>(sessions);
  double seen = 0;
  for (threshold_ = 0; threshold_ + 1 < all.size(); ++threshold_) {
    seen += static_cast<double>(all[threshold_]);
    if (seen >= wanted) break;
  }
}

std::uint64_t Exceedances::beyond(std::span<const std::uint64_t> histogram) const {
  const auto edge = std::min(threshold_, histogram.size());
  if (tail_ == Tail::below) return sum(histogram.first(edge));
  return edge < histogram.size() ? sum(histogram.subspan(edge + 1)) : 0;
}

Counts Exceedances::book(std::int64_t second, std::span<const std::uint64_t> canary, std::span<const std::uint64_t> stable) {
  const auto minute = second >= 0 ? second / 60 : -((59 - second) / 60);
  if (minute_ == INT64_MIN || minute > minute_) begin_minute(minute);
  add(current_, stable);
  return count(canary, stable);
}

Counts Exceedances::count(std::span<const std::uint64_t> canary, std::span<const std::uint64_t> stable) const {
  if (!ready_) return {};
  return {sum(canary), sum(stable), beyond(canary), beyond(stable)};
}

}  // namespace nlb::rollout
