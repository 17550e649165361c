// From the accept queue to a known protocol: accepting in batches, the first read at once, detection, silence.
#include <sys/epoll.h>
#include <sys/socket.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "libnlb/daemon/log.hpp"
#include "libnlb/inspect/detector.hpp"
#include "libnlb/inspect/proxy_header.hpp"
#include "libnlb/relay/worker.hpp"

namespace nlb::relay {
namespace {

constexpr Tick accept_pause_ms = 50;
constexpr Duration silence_expected = 2ms;   // of a source that was silent before
constexpr std::uint32_t few_accepts = 32;   // within a second: connections are rare, so they may be long

bool out_of_resources(int error) { return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM; }

bool trusted(const config::ProxyProtocolIn& in, const IpAddress& peer) {
  return in.accept && std::any_of(in.from.begin(), in.from.end(), [&](const Network& n) { return n.contains(peer); });
}

}  // namespace

bool Worker::accept_batch(ListenSocket& socket) {
  for (int i = 0; i < accepts_per_event; ++i) {
    SocketAddress peer;
    peer.length = sizeof peer.storage;
    const int client = accept4(socket.descriptor, reinterpret_cast<sockaddr*>(&peer.storage), &peer.length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (client < 0) {
      if (errno == EAGAIN) return false;
      if (out_of_resources(errno)) {
        counters_.descriptors_exhausted.add();
        pause_accepting();
        return false;
      }
      counters_.accept_errors.add();   // the client has gone already (ECONNABORTED and its like, accept(2))
      continue;
    }
    counters_.listeners[socket.listener].accepted.add();
    ++recent_accepts_;
    if (Worker* peer_worker = emptier_peer()) {
      counters_.handed_over.add();
      peer_worker->post([peer_worker, client, peer, listener = socket.listener] { peer_worker->admit_client(client, peer, listener); });
      continue;
    }
    admit_client(client, peer, socket.listener);
  }
  return true;
}

// SO_REUSEPORT spreads by hash: even for many sessions, not for few. A worker that has held clearly more than the emptiest one for a
// while (or, where connections come seldom, at least two more right now) hands the fresh connection over. The slow average keeps short sessions, whose number
// swings by itself, from being passed around.
Worker* Worker::emptier_peer() const {
  const auto own = pool_.in_use();
  Worker* best = nullptr;
  auto least = own;
  for (Worker* peer : peers_) {
    const auto open = peer->counters_.open.load(std::memory_order_relaxed);
    if (open >= least) continue;
    least = open;
    best = peer;
  }
  if (best == nullptr || own < least + 2) return nullptr;
  if (recent_accepts_ <= few_accepts) return best;
  const auto average = counters_.open_average.load(std::memory_order_relaxed);
  return average > best->counters_.open_average.load(std::memory_order_relaxed) * 1.1f + 4.0f ? best : nullptr;
}

// Without descriptors nothing is accepted; clients wait in the queue, open sessions live on. Never a busy loop, never a shed client.
void Worker::pause_accepting() {
  if (!accepting_paused_) {
    accepting_paused_ = true;
    counters_.accept_pauses.add();
    for (auto& socket : sockets_) epoll_ctl(epoll_, EPOLL_CTL_DEL, socket->descriptor, nullptr);
  }
  wheel_.set(resume_timer_, tick_ + accept_pause_ms, tick_);
}

void Worker::resume_accepting() {
  while (spare_.size() < spare_descriptors) {
    const int descriptor = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) break;
    spare_.push_back(descriptor);
  }
  if (!accepting_paused_) return;
  if (spare_.size() < spare_descriptors) {
    wheel_.set(resume_timer_, tick_ + accept_pause_ms, tick_);
    return;
  }
  accepting_paused_ = false;
  for (auto& socket : sockets_) {
    epoll_event event{};
    event.events = EPOLLIN | (socket->shared ? EPOLLEXCLUSIVE : 0u);
    event.data.u64 = reinterpret_cast<std::uintptr_t>(socket.get()) | static_cast<std::uintptr_t>(Tag::listener);
    epoll_ctl(epoll_, EPOLL_CTL_ADD, socket->descriptor, &event);
  }
}

void Worker::admit_client(int descriptor, const SocketAddress& peer, std::uint8_t listener) {
  Session& s = pool_.take();
  s.client = descriptor;
  s.accepted_ns = static_cast<std::uint64_t>(now_.time_since_epoch().count());
  s.listener = listener;
  split_peer(peer, s.client_ip, s.client_port);
  enter(s, Phase::detecting);
  const auto& plan = listener_of(s);
  auto& counters = counters_.listeners[listener];
  if (pool_.in_use() > plan.sessions_max || counters.unfinished.load(std::memory_order_relaxed) > plan.unfinished_max) {
    counters.overloaded.add();
    return finish(s, End::overloaded);
  }
  if (trusted(plan.options.proxy_protocol, s.client_ip)) s.set(flag::expects_proxy);
  if (plan.server_first && !s.has(flag::expects_proxy)) {
    s.set(flag::silent_client);
    return chosen(s, *plan.options.protocol, {});
  }
  read_first(s);
}

void Worker::read_first(Session& s) {
  const auto n = recv(s.client, buffer_.get(), buffer_bytes, 0);
  if (n == 0) return finish(s, End::client_closed);
  if (n < 0) return errno == EAGAIN || errno == EINTR ? await_more(s, {}) : finish(s, End::client_reset);
  const Bytes fresh{buffer_.get(), static_cast<std::size_t>(n)};
  if (s.held == nullptr || s.held->remainder[0].empty()) return consider(s, fresh);
  auto& held = s.held->remainder[0];
  held.append(fresh);
  consider(s, held.view());
}

void Worker::consider(Session& s, Bytes bytes) {
  if (s.has(flag::expects_proxy) && step_over_proxy_header(s, bytes) == Step::ended) return;
  if (s.has(flag::expects_proxy) || bytes.empty()) return await_more(s, bytes);
  const auto& options = listener_of(s).options;
  if (options.protocol) return chosen(s, *options.protocol, bytes);
  const auto verdict = inspect::detect(bytes.first(std::min<std::size_t>(bytes.size(), options.detect.bytes_max)));
  switch (verdict.answer) {
    case inspect::Answer::match: return chosen(s, verdict.protocol, bytes);
    case inspect::Answer::unknown: return chosen(s, Protocol::unknown, bytes);
    case inspect::Answer::more: break;
  }
  if (bytes.size() >= options.detect.bytes_max) return chosen(s, Protocol::unknown, bytes);
  await_more(s, bytes);
}

Worker::Step Worker::step_over_proxy_header(Session& s, Bytes& bytes) {
  const auto header = inspect::parse_proxy_header(bytes);
  if (header.answer == inspect::ProxyAnswer::more) return Step::open;
  if (header.answer != inspect::ProxyAnswer::match) {   // a trusted peer must send one: the protocol forbids guessing
    counters_.listeners[s.listener].proxy_invalid.add();
    finish(s, End::bad_proxy_header);
    return Step::ended;
  }
  s.unset(flag::expects_proxy);
  counters_.listeners[s.listener].proxy_accepted.add();
  if (!header.local && (header.family == inspect::ProxyFamily::inet || header.family == inspect::ProxyFamily::inet6)) {
    s.client_ip = header.source;
    s.client_port = header.source_port;
  }
  if (s.held != nullptr && !s.held->remainder[0].empty()) s.held->remainder[0].drop(header.bytes);
  bytes = bytes.subspan(header.bytes);
  return Step::open;
}

// Keeps what has come and waits for the rest, within the detection timeout; a client that has sent nothing may have a shorter one,
// since on this listener its silence means something.
void Worker::await_more(Session& s, Bytes bytes) {
  if (!bytes.empty() && (s.held == nullptr || s.held->remainder[0].empty())) held_of(s).remainder[0].append(bytes);
  register_client(s);
  const auto& options = listener_of(s).options;
  const bool meant = options.silent.protocol || options.silent.close;   // silence means something on this listener
  const bool silent = meant && s.held == nullptr && !s.has(flag::expects_proxy);
  const bool expected = silent && options.silent.adaptive && setup_.shared->silent_sources.knows(s.client_ip);
  const auto patience = expected ? std::min(options.silent.after, silence_expected)
                        : silent ? std::min(options.silent.after, options.detect.timeout) : options.detect.timeout;
  const auto end = MonoTime(Duration(static_cast<std::int64_t>(s.accepted_ns))) + patience;
  set_deadline(s, end > now_ ? static_cast<Tick>((end - now_ + 999999ns) / 1ms) : 0);
}

void Worker::on_detect_deadline(Session& s) {
  const auto& options = listener_of(s).options;
  if (s.held != nullptr && !s.held->remainder[0].empty()) {
    const auto bytes = s.held->remainder[0].view();
    if (s.protocol != Protocol::unknown) return route_session(s, bytes, true);   // known, only its details are missing
    const auto* table = plan_->table.get();
    const auto fallback = table->route({s.listener, Protocol::unknown, {}, {}, {}, {}, {}, true, s.client_ip});
    if (fallback.kind == route::RouteAnswer::Kind::service) return chosen(s, Protocol::unknown, bytes);
    counters_.listeners[s.listener].timeouts.add();
    return finish(s, End::detect_timeout);
  }
  std::uint8_t byte = 0;   // time may have passed since the events were asked for: who has spoken meanwhile isn't silent
  if (recv(s.client, &byte, 1, MSG_PEEK) >= 0 || errno != EAGAIN) return read_first(s);
  if (options.silent.protocol && !s.has(flag::expects_proxy)) {
    s.set(flag::silent_client);
    counters_.silent_routed.add();
    return chosen(s, *options.silent.protocol, {});
  }
  counters_.listeners[s.listener].timeouts.add();
  finish(s, End::silent);
}

void Worker::chosen(Session& s, Protocol protocol, Bytes bytes) {
  const bool again = s.protocol == protocol && protocol != Protocol::unknown;   // only its details were missing
  if (again) return route_session(s, bytes, false);
  s.protocol = protocol;
  const auto spent = now_ - MonoTime(Duration(static_cast<std::int64_t>(s.accepted_ns)));
  s.detect_us = static_cast<std::uint32_t>(std::min<std::int64_t>(spent / 1us, 0xffffffff));
  const auto slot = static_cast<std::size_t>(protocol);
  counters_.listeners[s.listener].detected[slot].add();
  counters_.detect_time[slot].record(spent);
  route_session(s, bytes, false);
}

}  // namespace nlb::relay
