// The end of a session: descriptors, slot, ticket, counts, and its line in the access log.
#include <unistd.h>

#include <utility>

#include "libnlb/daemon/json_line.hpp"
#include "libnlb/relay/worker.hpp"

namespace nlb::relay {
namespace {

// What a peer is shown: a reset where the other side ended with one, or where the session was refused; an orderly end otherwise.
bool resets_client(End end) {
  switch (end) {
    case End::client_closed:
    case End::module_closed:
    case End::idle_timeout:
    case End::silent:
    case End::drained:
    case End::shut_down: return false;
    default: return true;
  }
}
bool resets_module(End end) { return end == End::client_reset; }

}  // namespace

Held& Worker::held_of(Session& s) {
  if (s.held == nullptr) s.held = new Held;
  return *s.held;
}

void Worker::release_held(Session& s) {
  Held* held = s.held;
  if (held == nullptr || !held->empty()) return;
  if (s.has(flag::paused_up | flag::paused_down)) return;
  delete held;
  s.held = nullptr;
}

void Worker::finish(Session& s, End end) {
  if (!is_settled(s)) return;
  account(s, end);
  if (s.tries & learned_key) setup_.shared->cancel_keys.forget(&s);
  if (end == End::client_closed || end == End::client_reset) park(s);   // only a greeting nobody waited for
  if (s.module >= 0) resets_module(end) ? close_with_reset(s.module) : static_cast<void>(close(s.module));
  if (s.client >= 0) resets_client(end) ? close_with_reset(s.client) : static_cast<void>(close(s.client));
  wheel_.cancel(s);
  enter(s, Phase::closed);
  if (s.held != nullptr) {
    for (auto& pipe : s.held->pipe) pipes_.give_back(pipe);
    delete s.held;
    s.held = nullptr;
  }
  if (s.ticket) plan_->limits->release(s.ticket);
  s.slot.release();
  pool_.bury(s);
}

// The one place where a session changes its phase: the counts of unfinished ones go with it.
void Worker::enter(Session& s, Phase next) {
  const auto is_waiting = [](Phase p) { return p == Phase::waiting || p == Phase::queued; };
  auto& unfinished = counters_.listeners[s.listener].unfinished;   // this worker is its only writer
  if (s.phase == Phase::detecting) unfinished.store(unfinished.load(std::memory_order_relaxed) - 1, std::memory_order_relaxed);
  if (next == Phase::detecting) unfinished.store(unfinished.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  if (is_waiting(s.phase) != is_waiting(next)) waiting_ += is_waiting(next) ? 1u : ~0u;
  if (is_waiting(s.phase) && s.held != nullptr && s.held->line != nullptr) std::exchange(s.held->line, nullptr)->fetch_sub(1, std::memory_order_relaxed);
  s.phase = next;
}

void Worker::account(Session& s, End end) {
  counters_.ended[static_cast<std::size_t>(s.protocol)][static_cast<std::size_t>(end)].add();
  if (s.slot && !s.slot.is_connecting()) {
    auto& cell = cell_of(s);
    cell.ended.add();
    cell.bytes_up.add(s.bytes[0]);
    cell.bytes_down.add(s.bytes[1]);
    const auto lived = now_ - MonoTime(Duration(static_cast<std::int64_t>(s.accepted_ns)));
    cell.answer_bytes.record(std::chrono::microseconds(s.bytes[1]));
    cell.session_time.record(lived);
    if (auto* half = half_of(s)) {
      half->answer_bytes.record(std::chrono::microseconds(s.bytes[1]));
      half->session_time.record(lived);
    }
  }
  if (!access_.enabled()) return;
  if (plan_->access_sample < 1.0 && rng_.uniform() >= plan_->access_sample) return;
  write_access(s, end);
  access_.done(now_);
}

void Worker::write_access(const Session& s, End end) {
  const auto lived = now_ - MonoTime(Duration(static_cast<std::int64_t>(s.accepted_ns)));
  const auto& listener = listener_of(s).options;
  char id[24];
  std::snprintf(id, sizeof id, "%016llx%02zx", static_cast<unsigned long long>(s.accepted_ns ^ (reinterpret_cast<std::uintptr_t>(&s) << 20)), setup_.index);
  const auto opened = std::chrono::system_clock::now() - lived;
  daemon::JsonLine line(access_.line());
  line.add("time", format_rfc3339(std::chrono::time_point_cast<Duration>(opened)));
  line.add("id", id);
  line.add("client", to_string(Endpoint{Endpoint::Kind::ip, s.client_port, s.client_ip, {}}));
  line.add("listener", listener.name);
  line.add("protocol", to_string(s.protocol));
  if (s.slot) {
    const auto& identity = s.slot->identity;
    line.add("service", identity.service);
    line.add("version", identity.version);
    line.add("module", identity.name);
  }
  line.add("bytes_up", s.bytes[0]);
  line.add("bytes_down", s.bytes[1]);
  line.add("detect_us", s.detect_us);
  line.add("connect_us", s.connect_us);
  line.add("first_byte_us", s.first_byte_us);
  line.add("duration_us", static_cast<std::uint64_t>(lived / 1us));
  line.add("tries", static_cast<std::uint64_t>(s.tries & ~learned_key));
  line.add("end", to_string(end));
  line.end();
}

}  // namespace nlb::relay
