// What to say to the outer manager next, and when: a state machine without sockets or clocks. It registers first, then beats at the
// interval; a manager that answers 404 or 410 has forgotten us and is told again who we are. While it doesn't answer or refuses, it is
// asked again after 1 s, 2 s, 4 s ... up to the interval. Every wait is spread by a tenth, so that many balancers don't come in step.
#pragma once

#include <cstdint>
#include <string>

#include "libnlb/core/rng.hpp"
#include "libnlb/core/time.hpp"

namespace nlb::manager {

inline constexpr Duration retry_least = std::chrono::seconds(1);
inline constexpr double spread = 0.1;

struct Answer {
  unsigned status = 0;      // HTTP; 0: nobody answered
  std::string error;        // then: why
};

class LinkState {   // one owner, no locks
 public:
  enum class Say : std::uint8_t { registration, heartbeat };
  struct Counters { std::uint64_t good = 0, bad = 0; };

  LinkState(Duration interval, std::uint64_t seed, MonoTime now) : interval_(interval), rng_(seed), due_(now) {}
  Say next() const { return registered_ ? Say::heartbeat : Say::registration; }
  MonoTime due() const { return due_; }
  void hurry(MonoTime now) { due_ = now; }                 // there is news, such as another configuration
  void answered(const Answer& answer, MonoTime now);
  bool registered() const { return registered_; }
  const std::string& last_error() const { return last_error_; }   // empty: the last report was taken
  const Counters& counters() const { return counters_; }

 private:
  MonoTime after(Duration wait, MonoTime now) { return now + from_seconds(to_seconds(wait) * (1 + spread * (2 * rng_.uniform() - 1))); }

  Duration interval_;
  Rng rng_;
  MonoTime due_;
  bool registered_ = false;
  std::uint32_t failures_ = 0;                             // in a row
  std::string last_error_;
  Counters counters_;
};

}  // namespace nlb::manager
