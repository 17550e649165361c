// Bounded time windows of samples. Samples expire by age, never by count alone; nothing here reads a clock.
// A sample is *inside* a window of span w at `now` when it is strictly younger than w.
#pragma once

#include <algorithm>
#include <cstddef>
#include <deque>
#include <functional>
#include <optional>
#include <vector>

#include "libnlb/core/time.hpp"

namespace nlb::scale {

template <class T>
struct Sample { MonoTime at; T value; };

// The best (by `Better`) of the values of the last `span`: the classic monotone deque, O(1) amortised, at most samples_max entries.
template <class T, class Better>
class Extreme {
 public:
  explicit Extreme(Duration span = {}, std::size_t samples_max = 4096) : span_(span), samples_max_(samples_max) {}
  // `at` must not go backwards; a sample older than the newest is taken as being as old as the newest.
  void add(MonoTime at, T value) {
    if (!samples_.empty()) at = std::max(at, samples_.back().at);
    while (!samples_.empty() && !Better{}(samples_.back().value, value)) samples_.pop_back();
    if (samples_.size() == samples_max_) samples_.pop_back();
    samples_.push_back({at, value});
    expire(at);
  }
  void expire(MonoTime now) {
    while (!samples_.empty() && now - samples_.front().at >= span_) samples_.pop_front();
  }
  std::optional<T> best() const { return samples_.empty() ? std::nullopt : std::optional<T>(samples_.front().value); }
  const std::deque<Sample<T>>& samples() const { return samples_; }
  Duration span() const { return span_; }

 private:
  Duration span_;
  std::size_t samples_max_;
  std::deque<Sample<T>> samples_;   // times rise, values strictly fall in the order of Better
};
template <class T> using MaxWindow = Extreme<T, std::greater<T>>;
template <class T> using MinWindow = Extreme<T, std::less<T>>;

// The samples of the last `span`, for means over any shorter span. A ring of at most samples_max; the oldest makes room.
class MeanWindow {
 public:
  explicit MeanWindow(Duration span = {}, std::size_t samples_max = 256) : span_(span), ring_(samples_max) {}
  void add(MonoTime at, double value) {
    ring_[(first_ + count_) % ring_.size()] = {at, value};
    if (count_ < ring_.size()) ++count_;
    else first_ = (first_ + 1) % ring_.size();
    while (count_ > 0 && at - ring_[first_].at >= span_) { first_ = (first_ + 1) % ring_.size(); --count_; }
  }
  // Mean of the samples with from <= age < to; nullopt when there is none.
  std::optional<double> mean(MonoTime now, Duration to, Duration from = {}) const {
    double sum = 0;
    std::size_t n = 0;
    for (std::size_t i = count_; i-- > 0;) {
      const auto& sample = at(i);
      const auto age = now - sample.at;
      if (age >= to) break;
      if (age >= from) { sum += sample.value; ++n; }
    }
    return n == 0 ? std::nullopt : std::optional<double>(sum / static_cast<double>(n));
  }
  std::size_t size() const { return count_; }
  const Sample<double>& at(std::size_t i) const { return ring_[(first_ + i) % ring_.size()]; }   // 0 is the oldest

 private:
  Duration span_;
  std::vector<Sample<double>> ring_;
  std::size_t first_ = 0, count_ = 0;
};

}  // namespace nlb::scale
