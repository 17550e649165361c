#include "libnlb/relay/timer_wheel.hpp"

#include <algorithm>

namespace nlb::relay {
namespace {

void insert_before(TimerLink& head, TimerLink& link) {
  link.previous = head.previous;
  link.next = &head;
  head.previous->next = &link;
  head.previous = &link;
}

void make_empty(TimerLink& head) { head.previous = head.next = &head; }

constexpr Tick round_down(Tick t, Tick step) { return t - t % step; }

constexpr Tick is_coarse = 1;   // slot_ms is a multiple of fine_ms, so its lowest bit can say which level holds the entry

}  // namespace

TimerWheel::TimerWheel(Tick now) : fine_done_(round_down(now, fine_ms)), coarse_done_(round_down(now, coarse_ms)) {
  for (auto& head : fine_) make_empty(head);
  for (auto& head : coarse_) make_empty(head);
  make_empty(due_);
}

void TimerWheel::set(TimerLink& link, Tick deadline_ms, Tick now) {
  link.deadline_ms = deadline_ms;
  if (link.previous != nullptr) {
    if (!tick_before(deadline_ms, link.slot_ms & ~is_coarse)) return;   // found when its slot comes round
    unlink(link);
  }
  place(link, now);
}

void TimerWheel::cancel(TimerLink& link) {
  if (link.previous != nullptr) unlink(link);
}

void TimerWheel::place(TimerLink& link, Tick now) {
  if (size_++ == 0) catch_up(now);
  const Tick horizon = fine_done_ + fine_ms * (fine_slots - 2);
  Tick when = tick_before(link.deadline_ms, now) ? now : link.deadline_ms;
  if (tick_before(when, horizon)) {
    when = round_down(when + fine_ms - 1, fine_ms);
    if (tick_before(when, fine_done_)) when = fine_done_;
    link.slot_ms = when;
    ++fine_size_;
    insert_before(fine_[when / fine_ms % fine_slots], link);
    note(when);
    return;
  }
  // Visited up to one coarse slot early, then moved to a fine slot; far deadlines go as far as the wheel reaches and are put back.
  const Tick farthest = coarse_done_ + coarse_ms * (coarse_slots - 2);
  when = round_down(tick_before(when, farthest) ? when : farthest, coarse_ms);
  if (tick_before(when, coarse_done_)) when = coarse_done_;
  link.slot_ms = when | is_coarse;
  insert_before(coarse_[when / coarse_ms % coarse_slots], link);
  note(when);
}

// An empty wheel forgets the time that passed: nothing has to be visited.
void TimerWheel::catch_up(Tick now) {
  fine_done_ = round_down(now, fine_ms);
  coarse_done_ = round_down(now, coarse_ms);
  next_ = fine_done_ + fine_ms * fine_slots;
}

void TimerWheel::note(Tick when) {
  if (tick_before(when, next_) || size_ == 1) next_ = when;
}

void TimerWheel::unlink(TimerLink& link) {
  link.previous->next = link.next;
  link.next->previous = link.previous;
  link.previous = link.next = nullptr;
  --size_;
  if ((link.slot_ms & is_coarse) == 0) --fine_size_;
}

void TimerWheel::take_slot(TimerLink& head) {
  if (head.next == &head) return;
  head.next->previous = due_.previous;
  due_.previous->next = head.next;
  head.previous->next = &due_;
  due_.previous = head.previous;
  make_empty(head);
}

void TimerWheel::collect(Tick now) {
  const auto visit = [now](Tick& done, Tick step, std::uint32_t slots, auto&& take) {
    if (tick_before(now, done)) return;
    const auto passed = std::min<std::uint32_t>((now - done) / step + 1, slots);   // after a long stop: every slot once
    for (std::uint32_t i = 0; i < passed; ++i) take(done + i * step);
    done = round_down(now, step) + step;
  };
  visit(coarse_done_, coarse_ms, coarse_slots, [this](Tick t) { take_slot(coarse_[t / coarse_ms % coarse_slots]); });
  visit(fine_done_, fine_ms, fine_slots, [this](Tick t) { take_slot(fine_[t / fine_ms % fine_slots]); });
}

void TimerWheel::find_next() {
  const auto first = [](const auto& slots, Tick done, Tick step) {
    const auto count = static_cast<Tick>(slots.size());
    Tick i = 0;
    while (i < count && slots[(done / step + i) % count].next == &slots[(done / step + i) % count]) ++i;
    return done + i * step;
  };
  next_ = first(coarse_, coarse_done_, coarse_ms);
  if (fine_size_ == 0) return;
  const Tick fine_next = first(fine_, fine_done_, fine_ms);
  if (tick_before(fine_next, next_)) next_ = fine_next;
}

}  // namespace nlb::relay
