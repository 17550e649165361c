// How many distinct clients a split has met, about: linear counting (Whang, Vander-Zanden and Taylor, 1990) over the sticky buckets that
// were seen. Within 2 % up to 20,000 clients, and never more than about 92,000. A deployer needs it to know how closely a share can
// follow its weight: sessions of one client all go to one version, so it is clients that share, not sessions.
// Shared by all workers, relaxed: a bucket that is known costs one read.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cmath>
#include <cstdint>

#include "libnlb/core/sticky.hpp"

namespace nlb::route {

class ClientSketch {
 public:
  void see(std::uint32_t bucket) {
    auto& word = words_[bucket / 64 % words_.size()];
    const auto bit = std::uint64_t{1} << (bucket % 64);
    if ((word.load(std::memory_order_relaxed) & bit) == 0) word.fetch_or(bit, std::memory_order_relaxed);
  }
  std::uint64_t clients() const {
    std::size_t seen = 0;
    for (const auto& word : words_) seen += static_cast<std::size_t>(std::popcount(word.load(std::memory_order_relaxed)));
    const double empty = seen >= sticky_buckets ? 1 : static_cast<double>(sticky_buckets - seen);
    return static_cast<std::uint64_t>(std::llround(-static_cast<double>(sticky_buckets) * std::log(empty / sticky_buckets)));
  }
  void clear() {
    for (auto& word : words_) word.store(0, std::memory_order_relaxed);
  }

 private:
  std::array<std::atomic<std::uint64_t>, (sticky_buckets + 63) / 64> words_{};
};

}  // namespace nlb::route
