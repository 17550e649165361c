// A simulated clock, an event queue and a hostile network: messages are dropped, doubled, delayed and reordered, and links are cut.
// One seed is one schedule: all randomness comes from one source, and events of one moment run in the order they were made.
#pragma once

#include <functional>
#include <queue>
#include <vector>

#include "libnlb/core/rng.hpp"
#include "libnlb/core/time.hpp"

namespace nlb::sim {

class Network {
 public:
  explicit Network(std::uint64_t seed) : rng(seed) {}

  void after(Duration delay, std::function<void()> event) { events_.push({now + delay, ++made_, std::move(event)}); }

  // From node to node; `deliver` runs at the receiver, perhaps never, perhaps twice, perhaps late.
  void send(int from, int to, std::function<void()> deliver) {
    if (cut(from, to)) return;
    if (hostile && rng.below(100) < drop_percent) return;
    const bool twice = hostile && rng.below(100) < 3;
    if (twice) after(delay(), deliver);
    after(delay(), std::move(deliver));
  }

  bool cut(int from, int to) const { return hostile && (cuts_ >> ((from * 7 + to * 7) % 61) & 1); }
  void cut_some() { cuts_ = rng() & rng() & rng(); }
  void heal() { cuts_ = 0; }

  bool step() {                       // runs the next event; false when there is none
    if (events_.empty()) return false;
    auto event = std::move(const_cast<Event&>(events_.top()));
    events_.pop();
    now = event.at;
    event.run();
    return true;
  }

  Rng rng;
  MonoTime now{};
  bool hostile = true;
  std::uint64_t drop_percent = 5;

 private:
  struct Event {
    MonoTime at;
    std::uint64_t number;
    std::function<void()> run;
    bool operator<(const Event& other) const { return at != other.at ? at > other.at : number > other.number; }
  };
  Duration delay() {
    if (!hostile) return 1ms;
    const auto kind = rng.below(100);
    if (kind < 90) return 1ms * static_cast<int>(1 + rng.below(3));
    if (kind < 98) return 1ms * static_cast<int>(rng.below(400));      // overtaken by later ones
    return 1ms * static_cast<int>(rng.below(6000));                    // a replay from the past
  }
  std::priority_queue<Event> events_;
  std::uint64_t made_ = 0, cuts_ = 0;
};

}  // namespace nlb::sim
