// How long to wait after failures in a row: doubling from `first` to `most`, less a random part of up to half, so that many
// controllers don't knock together ("equal jitter", M. Brooker, AWS Architecture Blog, 2015). Values only; one owner.
#pragma once

#include <algorithm>

#include "libnlb/core/rng.hpp"
#include "libnlb/core/time.hpp"

namespace nlb::orchestrator {

class Backoff {
 public:
  Backoff(Duration first, Duration most, std::uint64_t seed) : first_(first), most_(most), rng_(seed) {}

  // `at_least` is what the other side asked for (Retry-After); it may exceed `most`.
  void failed(MonoTime now, Duration at_least = {}) {
    auto full = first_;
    for (unsigned i = 0; i < failures_ && full < most_; ++i) full *= 2;
    ++failures_;
    full = std::min(full, most_);
    until_ = now + std::max(at_least, full - from_seconds(to_seconds(full) / 2 * rng_.uniform()));
  }
  void succeeded() { failures_ = 0; until_ = {}; }
  unsigned failures() const { return failures_; }
  MonoTime until() const { return until_; }
  Duration left(MonoTime now) const { return std::max(Duration{}, until_ - now); }

 private:
  Duration first_, most_;
  Rng rng_;
  unsigned failures_ = 0;
  MonoTime until_{};
};

}  // namespace nlb::orchestrator
