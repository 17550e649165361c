// Long streams: bytes move from socket to socket through a pipe, without a copy.
//
// Most of what a fast stream costs then is being woken, for it wakes us more often than it would have to. So a stream that has filled
// several pipes tells of bytes only when there are many (SO_RCVLOWAT, socket(7)); its end, a reset and a window that is nearly full wake us
// all the same (tcp_epollin_ready in the kernel's tcp.h). What it sends before it pauses may be fewer: after a millisecond without bytes it
// is looked at, and tells of every byte again.
#include <fcntl.h>
#include <sys/socket.h>

#include <cerrno>

#include "libnlb/relay/worker.hpp"

namespace nlb::relay {
namespace {

constexpr std::uint32_t small_splice_bytes = 16 * 1024;
constexpr std::uint8_t small_splices_before_copy = 2;
constexpr std::uint8_t full_splices_before_low_water = 4;   // 1 MiB
constexpr int low_water_bytes = 512 * 1024;
constexpr Duration pause_noticed = 1ms;

}  // namespace

// Moves one pipe-full. The pipe is empty on entry, or holds what the receiver did not take last time (then we are stalled, not here).
Worker::Step Worker::splice_once(Session& s, Flow flow, bool& drained) {
  Pipe& pipe = s.held->pipe[index(flow)];
  const auto n = splice(s.sender(flow), nullptr, pipe.write_end, nullptr, PipePool::pipe_bytes, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
  if (n > 0) {
    pipe.filled += static_cast<std::uint32_t>(n);
    s.bytes[index(flow)] += static_cast<std::uint64_t>(n);
    counters_.spliced_bytes.add(static_cast<std::uint64_t>(n));
    set_idle_deadline(s);
    auto& stream = s.held->stream[index(flow)];
    stream.moved_at = now_;
    stream.small = n < small_splice_bytes ? static_cast<std::uint8_t>(stream.small + 1) : 0;
    if (n == PipePool::pipe_bytes && !stream.low_water && ++stream.full >= full_splices_before_low_water) set_low_water(s, flow, true);
    if (flush(s, flow) == Step::ended) return Step::ended;
    if (stream.small >= small_splices_before_copy && pipe.filled == 0) {
      if (stream.low_water) set_low_water(s, flow, false);
      stream = {};
      pipes_.give_back(pipe);
      release_held(s);
    }
    return Step::open;
  }
  drained = true;
  if (n == 0) return source_ended(s, flow);
  if (errno == EAGAIN || errno == EINTR) {
    watch_tail(s, flow);
    return nothing_left(s, flow);
  }
  if (errno == EINVAL || errno == ENOSYS) {   // this pair can't be spliced: copy from here on
    if (s.held->stream[index(flow)].low_water) set_low_water(s, flow, false);
    s.held->stream[index(flow)] = {};
    pipes_.give_back(pipe);
    setup_.splice = false;
    drained = false;
    return Step::open;
  }
  return source_failed(s, flow);
}

void Worker::set_low_water(Session& s, Flow flow, bool on) {
  auto& stream = s.held->stream[index(flow)];
  stream.low_water = on;
  stream.full = 0;
  set_receive_low_water(s.sender(flow), on ? low_water_bytes : 1);
}

void Worker::watch_tail(Session& s, Flow flow) {
  auto& stream = s.held->stream[index(flow)];
  if (!stream.low_water || stream.watched) return;
  stream.watched = true;
  tails_.push_back({&s, s.accepted_ns, flow});
}

// Streams that don't wake us for few bytes and have brought none for a while.
void Worker::look_at_tails() {
  for (std::size_t i = 0; i < tails_.size();) {
    const auto [session, accepted_ns, flow] = tails_[i];
    Session& s = *session;
    const bool lives = s.accepted_ns == accepted_ns && s.phase == Phase::relaying && s.held != nullptr && s.held->stream[index(flow)].watched;
    if (lives && now_ - s.held->stream[index(flow)].moved_at < pause_noticed) {
      ++i;
      continue;
    }
    tails_[i] = tails_.back();
    tails_.pop_back();
    if (!lives) continue;
    s.held->stream[index(flow)].watched = false;      // one whose receiver is full is read on, and watched again, when that has taken bytes
    if (s.has(static_cast<std::uint16_t>(flag::of(flag::stalled_up, flow) | flag::of(flag::ended_up, flow)))) continue;
    set_low_water(s, flow, false);
    static_cast<void>(pump(s, flow));
  }
}

}  // namespace nlb::relay
