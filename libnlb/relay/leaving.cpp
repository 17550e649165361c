// What leaves: sessions of modules that drain or are gone, of a version that lost its share, of a process that ends; and listeners.
#include <sys/epoll.h>
#include <unistd.h>

#include "libnlb/relay/worker.hpp"

namespace nlb::relay {
namespace {

constexpr Tick handshake_grace_ms = 150;   // for handshakes under way when a listener retires

}  // namespace

// Sessions on modules that are draining or gone get a last deadline, spread so that they don't all come back at once.
void Worker::sweep_leaving() {
  pool_.for_each_open([this](Session& s) {
    if (s.phase != Phase::relaying || s.has(flag::deadline_fixed) || !s.slot->leaving.load(std::memory_order_relaxed)) return;
    const auto* route = service_of(s).route;
    const Duration timeout = route ? route->options.drain_timeout : Duration{30s};
    const Duration jitter = route ? route->options.drain_jitter : Duration{5s};
    const auto wait = timeout + Duration(static_cast<std::int64_t>(rng_.uniform() * static_cast<double>(jitter.count())));
    fix_deadline(s, tick_ + static_cast<Tick>(wait / 1ms));
  });
}

// Sessions on a version that lost its share, as the deployer wishes.
void Worker::end_versions() {
  if (plan_->version_ends.empty()) return;
  pool_.for_each_open([this](Session& s) {
    if (s.phase != Phase::relaying) return;
    const auto& identity = s.slot->identity;
    for (const auto& gone : plan_->version_ends) {
      if (gone.version != identity.version || gone.service != identity.service) continue;
      if (gone.reset) return finish(s, End::version_ended);
      if (!s.has(flag::deadline_fixed)) fix_deadline(s, tick_ + static_cast<Tick>(gone.deadline / 1ms));
    }
  });
}

void Worker::drain_all(Duration timeout, Duration jitter) {
  pool_.for_each_open([&](Session& s) {
    const auto wait = timeout + Duration(static_cast<std::int64_t>(rng_.uniform() * static_cast<double>(jitter.count())));
    const auto deadline = tick_ + static_cast<Tick>(wait / 1ms);
    if (s.phase != Phase::relaying || (s.has(flag::deadline_fixed) && tick_before(s.deadline_ms, deadline))) return;
    fix_deadline(s, deadline);
  });
}

// A session's last deadline: activity moves it no more, and no byte limit slows its end.
void Worker::fix_deadline(Session& s, Tick deadline_ms) {
  wheel_.set(s, deadline_ms, tick_);
  s.set(flag::deadline_fixed);
  if (!s.has(flag::paused_up | flag::paused_down)) return;
  s.unset(flag::paused_up | flag::paused_down);
  pump_later(s);
}

void Worker::retire_listener(std::uint8_t listener, bool elsewhere) {
  for (auto& socket : sockets_) {
    if (socket->listener != listener || socket->close_at_ms != 0) continue;
    if (elsewhere) epoll_ctl(epoll_, EPOLL_CTL_DEL, socket->descriptor, nullptr);
    else stop_handshakes(socket->descriptor);
    socket->elsewhere = elsewhere;
    socket->close_at_ms = (tick_ + handshake_grace_ms) | 1;
  }
  wheel_.set(retire_timer_, tick_ + handshake_grace_ms + 4, tick_);
}

void Worker::close_retired() {
  for (auto& socket : sockets_) {
    if (socket->close_at_ms == 0 || tick_before(tick_, socket->close_at_ms)) continue;
    while (!socket->elsewhere && accept_batch(*socket)) {}           // nothing new comes: it ends
    epoll_ctl(epoll_, EPOLL_CTL_DEL, socket->descriptor, nullptr);   // the socket may live on in another process, and would still tell us
    close(socket->descriptor);
    socket->descriptor = -1;
  }
  std::erase_if(sockets_, [](const auto& socket) { return socket->descriptor < 0; });
}

}  // namespace nlb::relay
