// Does a target tell the truth about its count? It is compared with itself and with what it agreed to. Three contradictions count:
// the same instance twice; another `desired` than the one it accepted, seen twice in a row (once may be a race); and a number of live
// instances that differs from `desired` for longer than `settle` though nothing starts, stops or fails.
// Values only; one owner.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "libnlb/core/time.hpp"
#include "libnlb/orchestrator/driver.hpp"

namespace nlb::orchestrator {

class Honesty {
 public:
  explicit Honesty(Duration settle) : settle_(settle) {}
  void accepted(std::uint32_t count) { accepted_ = count; strange_ = 0; }
  void forget() { accepted_.reset(); strange_ = 0; uneven_since_.reset(); }   // after a removal or an action with an unknown end
  // What is wrong, for people; empty: nothing.
  std::string judge(const Observation& seen, MonoTime now);

 private:
  std::string other_desired(const Observation& seen);
  std::string other_count(const Observation& seen, MonoTime now);

  Duration settle_;
  std::optional<std::uint32_t> accepted_;
  unsigned strange_ = 0;
  std::optional<MonoTime> uneven_since_;
};

}  // namespace nlb::orchestrator
