// Bounded time windows of samples. Samples expire by age, never by count alone; nothing here reads a clock.
// A sample is *inside* a window of span w at `now` when it is strictly younger than w.
#pragma once

#include <algorithm>
#include <cstddef>
#include <deque>
#include <functional>
#include <optional>

#include "libnlb/core/time.hpp"

namespace nlb::scale {

template <class T>
struct Sample {
  MonoTime at;
  T value;
  template <class V> void visit(V& v) { v("at", at); v("value", value); }
};

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
  // The best of those younger than `span`, which must not exceed the window's own. O(samples).
  std::optional<T> best_of(MonoTime now, Duration span) const {
    for (const auto& sample : samples_)
      if (now - sample.at < span) return sample.value;
    return std::nullopt;
  }
  void clear() { samples_.clear(); }
  template <class V> void visit(V& v) { v("samples", samples_); }

 private:
  Duration span_;
  std::size_t samples_max_;
  std::deque<Sample<T>> samples_;   // times rise, values strictly fall in the order of Better
};
template <class T> using MaxWindow = Extreme<T, std::greater<T>>;
template <class T> using MinWindow = Extreme<T, std::less<T>>;

// The samples of the last `span`, for means over any shorter span. At most samples_max; the oldest makes room.
class MeanWindow {
 public:
  explicit MeanWindow(Duration span = {}, std::size_t samples_max = 256) : span_(span), samples_max_(samples_max) {}
  void add(MonoTime at, double value) {
    samples_.push_back({at, value});
    while (samples_.size() > samples_max_ || at - samples_.front().at >= span_) samples_.pop_front();
  }
  // Mean of the samples with from <= age < to; nullopt when there is none.
  std::optional<double> mean(MonoTime now, Duration to, Duration from = {}) const {
    double sum = 0;
    std::size_t n = 0;
    for (auto sample = samples_.rbegin(); sample != samples_.rend() && now - sample->at < to; ++sample)
      if (now - sample->at >= from) { sum += sample->value; ++n; }
    return n == 0 ? std::nullopt : std::optional<double>(sum / static_cast<double>(n));
  }
  std::size_t size() const { return samples_.size(); }
  void clear() { samples_.clear(); }
  template <class V> void visit(V& v) { v("samples", samples_); }

 private:
  Duration span_;
  std::size_t samples_max_;
  std::deque<Sample<double>> samples_;   // oldest first
};

}  // namespace nlb::scale
