// Relaying: bytes of one direction at a time, read into the worker's buffer and sent on at once. Memory is held only for what the
// receiver's socket did not take; then reading stops until it takes bytes again, which is all the back-pressure there is.
//
// A read that does not fill the buffer means that the socket is drained (recv(2) with edge-triggered epoll, epoll(7) Q&A 9), and with
// RDHUP already seen that the sender has ended: no second read asks for it. Streams that fill the buffer several times in a row are
// spliced through a pipe, without a copy, until they become small again (splice.cpp). (A sockmap, where the kernel redirects by itself, was tried and left
// out: sockmap.md.)
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "libnlb/core/sticky.hpp"
#include "libnlb/inspect/first_answer.hpp"
#include "libnlb/relay/worker.hpp"
#include "libnlb/route/outlier.hpp"

namespace nlb::relay {
namespace {

constexpr std::uint8_t full_reads_before_splice = 2;   // 128 KiB without a pause

}  // namespace

Worker::Step Worker::pump(Session& s, Flow flow) {
  const auto blocked = flag::of(flag::stalled_up, flow) | flag::of(flag::paused_up, flow) | flag::of(flag::ended_up, flow);
  if ((s.queued & bit(flow)) != 0 && !is_settled(s)) return Step::ended;   // what this reads next comes after that
  bool drained = false;
  for (int chunk = 0; chunk < chunks_per_turn && !drained; ++chunk) {
    if (s.has(static_cast<std::uint16_t>(blocked))) return Step::open;
    const bool splicing = s.held != nullptr && s.held->pipe[index(flow)];
    if ((splicing ? splice_once(s, flow, drained) : copy_once(s, flow, drained)) == Step::ended) return Step::ended;
  }
  if (!drained || (s.doubted & bit(flow)) != 0) pump_later(s);   // not at once: a sender that keeps up would keep us from everybody else
  return Step::open;
}

void Worker::pump_later(Session& s) {
  if (s.has(flag::ready_again)) return;
  s.set(flag::ready_again);
  ready_.push_back(&s);
}

void Worker::run_ready() {
  if (ready_.empty()) return;
  std::vector<Session*> now;
  now.swap(ready_);
  for (Session* s : now) {
    if (s->phase != Phase::relaying || !s->has(flag::ready_again)) continue;
    s->unset(flag::ready_again);
    for (Flow flow : {Flow::up, Flow::down})
      if (pump(*s, flow) == Step::ended) break;
  }
}

Worker::Step Worker::copy_once(Session& s, Flow flow, bool& drained) {
  std::uint8_t* const room = batching_ ? batch_->room() : buffer_.get();
  const auto n = recv(s.sender(flow), room, buffer_bytes, 0);
  if (n == 0) {
    drained = true;
    return source_ended(s, flow);
  }
  if (n < 0) {
    drained = true;
    return errno == EAGAIN || errno == EINTR ? nothing_left(s, flow) : source_failed(s, flow);
  }
  const Bytes bytes{room, static_cast<std::size_t>(n)};
  if (flow == Flow::down && s.bytes[1] == 0 && first_answer(s, bytes) == Step::ended) return Step::ended;
  if (flow == Flow::down && s.held != nullptr && s.held->key_scan) learn_key(s, bytes);
  s.bytes[index(flow)] += bytes.size();
  set_idle_deadline(s);

  drained = bytes.size() < buffer_bytes;
  const bool last = drained && s.has(flag::of(flag::fin_seen_up, flow));
  const bool closing = last && flow == Flow::down && (s.has(flag::ended_up) || !service_of(s).half_close_full);
  if (flow == Flow::up) send_without_delay(s);
  if (batching_ && !last && bytes.size() <= SendBatch::chunk_bytes_max && !plan_->limits->limits_bytes()) {
    s.full_reads[index(flow)] = 0;
    return queue_send(s, flow, bytes.size());
  }
  // The last bytes before a close wait for it, so that data and FIN share a segment.
  const auto sent = send(s.receiver(flow), bytes.data(), bytes.size(), MSG_NOSIGNAL | (closing ? MSG_MORE : 0));
  if (sent < 0 && errno != EAGAIN) {
    finish(s, flow == Flow::up ? End::module_reset : End::client_reset);
    return Step::ended;
  }
  const auto taken = sent < 0 ? 0 : static_cast<std::size_t>(sent);
  if (taken < bytes.size()) hold(s, flow, bytes.subspan(taken));
  if (last) return source_ended(s, flow);

  if (plan_->limits->limits_bytes() && !s.has(flag::deadline_fixed)) {
    const auto pause = plan_->limits->charge(s.ticket, bytes.size(), now_);
    if (pause > 1ms) {
      held_of(s).resume_at[index(flow)] = now_ + pause;
      s.set(flag::of(flag::paused_up, flow));
      set_deadline(s, static_cast<Tick>(pause / 1ms) + 1);
      return Step::open;
    }
  }
  auto& full = s.full_reads[index(flow)];
  full = drained ? 0 : static_cast<std::uint8_t>(full + 1);
  if (full >= full_reads_before_splice && taken == bytes.size() && setup_.splice && !plan_->limits->limits_bytes()) {
    full = 0;
    if (auto pipe = pipes_.take()) {
      held_of(s).pipe[index(flow)] = *pipe;
      counters_.splice_switches.add();
    }
  }
  return Step::open;
}

Worker::Step Worker::nothing_left(Session& s, Flow flow) {
  s.doubted = static_cast<std::uint8_t>(s.doubted & ~bit(flow));
  return Step::open;
}

// Sends on what is held for the receiver of `flow`; when nothing is left, reading goes on where it stopped.
Worker::Step Worker::flush(Session& s, Flow flow) {
  if (!is_settled(s)) return Step::ended;
  Held* held = s.held;
  if (held == nullptr) return Step::open;
  auto& remainder = held->remainder[index(flow)];
  auto& pipe = held->pipe[index(flow)];
  if (flow == Flow::up && !remainder.empty()) send_without_delay(s);
  while (!remainder.empty() || pipe.filled > 0) {
    const auto sent = !remainder.empty()
        ? send(s.receiver(flow), remainder.view().data(), remainder.size(), MSG_NOSIGNAL)
        : splice(pipe.read_end, nullptr, s.receiver(flow), nullptr, pipe.filled, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) {
      if (sent < 0 && errno != EAGAIN) {
        finish(s, flow == Flow::up ? End::module_reset : End::client_reset);
        return Step::ended;
      }
      s.set(flag::of(flag::stalled_up, flow));
      want_writable(s, flow);
      return Step::open;
    }
    if (!remainder.empty()) remainder.drop(static_cast<std::size_t>(sent));
    else pipe.filled -= static_cast<std::uint32_t>(sent);
    set_idle_deadline(s);
  }
  const bool was_stalled = s.has(flag::of(flag::stalled_up, flow));
  s.unset(flag::of(flag::stalled_up, flow));
  release_held(s);
  if (s.has(flag::of(flag::ended_up, flow))) return source_ended(s, flow);
  return was_stalled ? pump(s, flow) : Step::open;
}

// A first send never waits (RFC 9293 section 3.7.4: nothing is unacknowledged); from the second one on Nagle's algorithm would hold small
// ones back, up to 40 ms where the module delays its acknowledgements. Sessions with a single send are spared the system call.
void Worker::send_without_delay(Session& s) {
  if (s.has(flag::nodelay_set)) return;
  set_no_delay(s.module);
  s.set(flag::nodelay_set);
}

void Worker::hold(Session& s, Flow flow, Bytes bytes) {
  held_of(s).remainder[index(flow)].append(bytes);
  s.set(flag::of(flag::stalled_up, flow));
  want_writable(s, flow);
}

// The sender of `flow` has sent its FIN and all its bytes are read; what is held goes out first.
Worker::Step Worker::source_ended(Session& s, Flow flow) {
  if (!is_settled(s)) return Step::ended;
  s.set(flag::of(flag::ended_up, flow));
  if (s.held != nullptr && s.held->holds(index(flow))) return Step::open;
  if (flow == Flow::up) {
    if (s.has(flag::ended_down)) return finish_if_done(s);
    shutdown(s.module, SHUT_WR);
    return Step::open;
  }
  if (s.bytes[1] == 0 && s.bytes[0] > 0 && !s.has(flag::ended_up))
    report(s, route::Outcome::empty_answer);
  const bool up_goes_on = !s.has(flag::ended_up) || (s.held != nullptr && s.held->holds(index(Flow::up)));
  if (service_of(s).half_close_full && up_goes_on) {
    shutdown(s.client, SHUT_WR);
    register_client(s);
    return Step::open;
  }
  finish(s, End::module_closed);
  return Step::ended;
}

Worker::Step Worker::finish_if_done(Session& s) {
  if (s.held != nullptr && (s.held->holds(index(Flow::up)) || s.held->holds(index(Flow::down)))) return Step::open;
  finish(s, End::client_closed);
  return Step::ended;
}

Worker::Step Worker::source_failed(Session& s, Flow flow) {
  if (flow == Flow::down && s.bytes[1] == 0)
    report(s, route::Outcome::early_reset);
  finish(s, flow == Flow::up ? End::client_reset : End::module_reset);
  return Step::ended;
}

// What a session found out about its module: for ejection, for the module's counts, and for who judges versions.
void Worker::report(Session& s, route::Outcome outcome) {
  if (const auto* service = service_of(s).route) route::report(*service, *s.slot, outcome, now_, setup_.index);
  const bool connect = outcome == route::Outcome::connect_failed;
  if (auto* half = connect ? half_of(s) : nullptr) half->connect_failures.add();
  if (route::is_bad(outcome)) failures_.add({s.slot->self.lock(), s.client_ip, MonoTime(Duration(static_cast<std::int64_t>(s.accepted_ns))), connect});
}

// By the time of its accept, so that a session is counted in one half from its beginning to its end.
route::HalfCell* Worker::half_of(const Session& s) const {
  auto* const cell = s.slot->half_cell(setup_.index);
  const bool counts = cell != nullptr && in_first_half(s.client_ip, MonoTime(Duration(static_cast<std::int64_t>(s.accepted_ns))));
  return counts ? cell : nullptr;
}

void Worker::learn_key(Session& s, Bytes bytes) {
  auto& scan = *s.held->key_scan;
  if (const auto key = scan.feed(bytes)) {
    setup_.shared->cancel_keys.learn(*key, &s, {s.slot->identity.service, s.slot->identity.name});
    s.tries |= learned_key;
  }
  if (!scan.over()) return;
  s.held->key_scan.reset();
  release_held(s);
}

// The module's first bytes: its time, its worth, and the client's registration, which waited for a reason.
Worker::Step Worker::first_answer(Session& s, Bytes bytes) {
  const auto dialled = MonoTime(Duration(static_cast<std::int64_t>(s.accepted_ns))) + std::chrono::microseconds(s.detect_us);
  const auto waited = now_ - dialled;
  s.first_byte_us = static_cast<std::uint32_t>(std::min<std::int64_t>(std::max<std::int64_t>(waited / 1us, 1), 0xffffffff));
  auto& cell = cell_of(s);
  cell.first_byte_time.record(waited);
  if (auto* half = half_of(s)) half->first_byte_time.record(waited);
  report(s, route::Outcome::ok);
  if (inspect::judge_first_answer(s.protocol, bytes) == inspect::FirstAnswer::error) {
    cell.protocol_errors.add();
    failures_.add({s.slot->self.lock(), s.client_ip, MonoTime(Duration(static_cast<std::int64_t>(s.accepted_ns)))});
  }
  route::observe_latency(*s.slot, waited, now_);
  if (!s.has(flag::fin_seen_down)) register_client(s);
  return Step::open;
}

}  // namespace nlb::relay
