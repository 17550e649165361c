// Log-scale histograms of durations: four buckets per power of two, so a quantile is off by at most 12 %, from 1 us
// to 76 hours.
//
// Recorder is written by one worker (counter.hpp) and read by others; Histogram is the plain value that a scrape
// makes of it: it merges, subtracts (what happened since) and estimates quantiles. Bucket 0 holds 0 us, buckets 1 to
// 3 hold 1 to 3 us, and from 4 us on bucket 4e + s - 4 holds [2^e (1 + s/4), 2^e (1 + (s+1)/4)) us, as in
// HdrHistogram with two significant bits.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

#include "libnlb/core/time.hpp"
#include "libnlb/metrics/counter.hpp"

namespace nlb::metrics {

inline constexpr std::size_t histogram_buckets = 148;

// Cost: a division by a constant and a count of leading zeros. Negative durations count as 0, longer ones go to the
// last bucket.
constexpr std::size_t bucket_of(Duration d) {
  if (d <= Duration::zero()) return 0;
  const auto us = static_cast<std::uint64_t>(d.count()) / 1000;
  if (us < 4) return us;
  const auto e = static_cast<unsigned>(std::bit_width(us)) - 1;
  const auto bucket = 4 * e - 4 + ((us >> (e - 2)) & 3);
  return bucket < histogram_buckets ? bucket : histogram_buckets - 1;
}
// The exclusive upper bound of a bucket in microseconds, and the inclusive lower one.
constexpr std::uint64_t bucket_start_us(std::size_t bucket) {
  if (bucket < 4) return bucket;
  const auto e = (bucket + 4) / 4, s = (bucket + 4) % 4;
  return (4 + s) << (e - 2);
}
constexpr std::uint64_t bucket_end_us(std::size_t bucket) { return bucket_start_us(bucket + 1); }

struct Histogram {
  std::array<std::uint64_t, histogram_buckets> counts{};
  std::uint64_t count = 0;
  std::uint64_t sum_us = 0;

  void record(Duration d, std::uint64_t times = 1);
  Histogram& operator+=(const Histogram& other);
  Histogram& operator-=(const Histogram& earlier);   // an earlier reading of the same source; counts that fell restart from 0
  double quantile_seconds(double q) const;           // q in [0, 1]; linear within a bucket; 0 when empty
  bool operator==(const Histogram&) const = default;
};

class Recorder {   // one writer
 public:
  void record(Duration d) {
    counts_[bucket_of(d)].add();
    if (d > Duration::zero()) sum_us_.add(static_cast<std::uint64_t>(d.count()) / 1000);
  }
  Histogram read() const;

 private:
  std::array<Counter, histogram_buckets> counts_;
  Counter sum_us_;
};

}  // namespace nlb::metrics
