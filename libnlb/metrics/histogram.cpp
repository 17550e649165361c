#include "libnlb/metrics/histogram.hpp"

namespace nlb::metrics {

void Histogram::record(Duration d, std::uint64_t times) {
  counts[bucket_of(d)] += times;
  count += times;
  if (d > Duration::zero()) sum_us += times * (static_cast<std::uint64_t>(d.count()) / 1000);
}

Histogram& Histogram::operator+=(const Histogram& other) {
  for (std::size_t i = 0; i < histogram_buckets; ++i) counts[i] += other.counts[i];
  count += other.count;
  sum_us += other.sum_us;
  return *this;
}

// A smaller number than before means that the source restarted: what it shows now is what happened since.
Histogram& Histogram::operator-=(const Histogram& earlier) {
  if (count < earlier.count) return *this;
  count = 0;
  for (std::size_t i = 0; i < histogram_buckets; ++i) {
    counts[i] -= counts[i] < earlier.counts[i] ? counts[i] : earlier.counts[i];
    count += counts[i];
  }
  sum_us -= sum_us < earlier.sum_us ? sum_us : earlier.sum_us;
  return *this;
}

double Histogram::quantile_seconds(double q) const {
  if (count == 0) return 0;
  const double rank = q * static_cast<double>(count);
  double below = 0;
  for (std::size_t i = 0; i < histogram_buckets; ++i) {
    const auto here = static_cast<double>(counts[i]);
    if (here > 0 && below + here >= rank) {
      const auto start = static_cast<double>(bucket_start_us(i)), end = static_cast<double>(bucket_end_us(i));
      const double within = rank > below ? (rank - below) / here : 0;
      return (start + (end - start) * within) * 1e-6;
    }
    below += here;
  }
  return static_cast<double>(bucket_end_us(histogram_buckets - 1)) * 1e-6;
}

Histogram Recorder::read() const {
  Histogram h;
  for (std::size_t i = 0; i < histogram_buckets; ++i) h.count += h.counts[i] = counts_[i].read();
  h.sum_us = sum_us_.read();
  return h;
}

}  // namespace nlb::metrics
