// Deadlines of very many sessions without a timer object each: a hashed wheel of intrusive lists (Varghese and Lauck, 1987, scheme 6)
// in two levels: 2 ms slots for the next second, 1 s slots beyond it.
//
// Lazy on purpose: moving a deadline later is a store (`deadline_ms`), the entry stays where it is and is put back when its slot comes
// round. Only an earlier deadline relinks. Owner: one worker thread; time is a parameter, in milliseconds since the worker's start.
#pragma once

#include <array>
#include <cstdint>

namespace nlb::relay {

// 32-bit milliseconds wrap after 49 days: compare by signed difference only.
using Tick = std::uint32_t;
constexpr bool tick_before(Tick a, Tick b) { return static_cast<std::int32_t>(a - b) < 0; }

struct TimerLink {
  TimerLink* previous = nullptr;   // nullptr: not in the wheel
  TimerLink* next = nullptr;
  Tick deadline_ms = 0;
  Tick slot_ms = 0;                // when the slot that holds it is visited; the lowest bit says which level
};

class TimerWheel {
 public:
  static constexpr std::uint32_t fine_ms = 2, fine_slots = 512;
  static constexpr std::uint32_t coarse_ms = 1024, coarse_slots = 1024;

  explicit TimerWheel(Tick now);
  TimerWheel(const TimerWheel&) = delete;
  TimerWheel& operator=(const TimerWheel&) = delete;

  // Sets the deadline; `deadline_ms` - now must be below 2^31. O(1).
  void set(TimerLink& link, Tick deadline_ms, Tick now);
  void cancel(TimerLink& link);

  // Calls on_expired(link) for every entry whose deadline has come; the entry is unlinked first and may be set again or destroyed.
  // Entries expire at most 2 * fine_ms late. Cost: the slots passed and the entries in them.
  template <class F>
  void advance(Tick now, F&& on_expired) {
    if (size_ == 0 || tick_before(now, next_)) return;
    collect(now);
    while (due_.next != &due_) {
      TimerLink& link = *due_.next;
      unlink(link);
      if (tick_before(now, link.deadline_ms)) place(link, now);   // was moved later meanwhile
      else on_expired(link);
    }
    find_next();
  }

  // Milliseconds until advance() has something to look at (or a cancelled entry stood there); -1 when the wheel is empty. O(1).
  int wait_ms(Tick now) const { return size_ == 0 ? -1 : tick_before(now, next_) ? static_cast<int>(next_ - now) : 0; }
  std::uint32_t size() const { return size_; }

 private:
  void place(TimerLink& link, Tick now);
  void unlink(TimerLink& link);
  void collect(Tick now);
  void take_slot(TimerLink& head);
  void find_next();
  void catch_up(Tick now);
  void note(Tick when);

  std::array<TimerLink, fine_slots> fine_;
  std::array<TimerLink, coarse_slots> coarse_;
  TimerLink due_;
  Tick fine_done_;     // every fine slot before this time has been visited
  Tick coarse_done_;
  Tick next_ = 0;      // no slot before this time holds anything; meaningless while empty
  std::uint32_t size_ = 0, fine_size_ = 0;
};

}  // namespace nlb::relay
