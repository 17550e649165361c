// A counter with one writer and any number of readers.
//
// Each worker writes its own counters, so adding is a plain load, add and store (no locked instruction); a scrape
// reads them relaxed from another thread and may see each counter at a slightly different moment. Two writers would
// lose counts: share a std::atomic instead.
#pragma once

#include <atomic>
#include <cstdint>

namespace nlb::metrics {

class Counter {
 public:
  void add(std::uint64_t n = 1) { value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed); }
  std::uint64_t read() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

}  // namespace nlb::metrics
