// From a known protocol to a connected module: route, limits, pick and reserve, connect, first bytes, and the greeting of servers that
// speak first. A module that fails is passed over and the next is tried while the client's bytes are still held; the client sees nothing.
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "libnlb/inspect/backend_key.hpp"
#include "libnlb/inspect/detector.hpp"
#include "libnlb/inspect/first_answer.hpp"
#include "libnlb/inspect/proxy_header.hpp"
#include "libnlb/relay/worker.hpp"
#include "libnlb/route/outlier.hpp"

namespace nlb::relay {
namespace {

constexpr Duration full_retry = 10ms;        // how often a queued session asks for a free slot
constexpr Tick greeting_ms = 10000;          // MySQL's connect_timeout

Duration since(std::uint64_t accepted_ns, MonoTime now) { return now - MonoTime(Duration(static_cast<std::int64_t>(accepted_ns))); }

ssize_t send_together(int descriptor, Bytes header, Bytes bytes) {
  if (header.empty()) return send(descriptor, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  iovec parts[2] = {{const_cast<std::uint8_t*>(header.data()), header.size()}, {const_cast<std::uint8_t*>(bytes.data()), bytes.size()}};
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = 2;
  return sendmsg(descriptor, &message, MSG_NOSIGNAL);
}

std::uint32_t to_us(Duration d) { return static_cast<std::uint32_t>(std::clamp<std::int64_t>(d / 1us, 0, 0xffffffff)); }

}  // namespace

void Worker::route_session(Session& s, Bytes bytes, bool last_chance) {
  const auto& table = *plan_->table;
  route::RouteQuestion question;
  question.listener = s.listener;
  question.protocol = s.protocol;
  question.client = s.client_ip;
  question.details_complete = true;
  if (table.wants_details(s.protocol)) {
    const auto details = inspect::read_details(s.protocol, bytes);
    question.sni = details.sni;
    question.alpn = details.alpn;
    question.http_host = details.http_host;
    question.database = details.database;
    question.user = details.user;
    question.details_complete = details.complete || last_chance || bytes.size() >= inspect::details_bytes_max;
  }
  const auto answer = table.route(question);
  switch (answer.kind) {
    case route::RouteAnswer::Kind::need_details: return await_more(s, bytes);
    case route::RouteAnswer::Kind::no_route: return finish(s, s.protocol == Protocol::unknown ? End::unknown_protocol : End::no_route);
    case route::RouteAnswer::Kind::service: break;
  }
  s.service = plan_->service_numbers[answer.service];
  place(s, bytes);
}

void Worker::place(Session& s, Bytes bytes) {
  const auto* service = service_of(s).route;
  if (service == nullptr) return finish(s, End::no_module);
  if (s.phase != Phase::queued) {
    const auto admission = plan_->limits->admit({s.protocol, service->hash, s.client_ip}, now_, s.phase == Phase::waiting);
    if (!admission) {
      if (admission.action == limit::Action::refuse) return finish(s, End::limited);
      const auto& rule = plan_->limits->rules()[admission.rule];
      const bool delay = admission.action == limit::Action::delay;
      return wait_for_place(s, bytes, {Phase::waiting, std::max(admission.retry_after, full_retry), delay ? Duration::max() : rule.queue.timeout,
                                       admission.line, rule.queue.sessions_max, End::limited});
    }
    s.ticket = admission.ticket;
  }
  dial(s, bytes);
}

void Worker::wait_for_place(Session& s, Bytes bytes, const Queueing& queueing) {
  Held& held = held_of(s);
  if (s.phase != queueing.phase) {
    if (queueing.line->fetch_add(1, std::memory_order_relaxed) >= queueing.sessions_max) {
      queueing.line->fetch_sub(1, std::memory_order_relaxed);
      return finish(s, queueing.when_full);
    }
    counters_.sessions_queued.add();
    held.wait_until = queueing.patience == Duration::max() ? MonoTime::max() : now_ + queueing.patience;
    if (held.remainder[0].empty()) held.remainder[0].append(bytes);
    enter(s, queueing.phase);
    held.line = queueing.line;
    register_client(s);
  }
  if (now_ >= held.wait_until) return finish(s, End::queue_timeout);
  set_deadline(s, static_cast<Tick>(std::min<Duration>(queueing.retry, held.wait_until - now_) / 1ms) + 1);
}

// A PostgreSQL CancelRequest belongs to the module that issued its key, whatever the picker would say and however full it is.
route::Slot Worker::slot_of_cancelled(const Session& s, Bytes bytes) const {
  const auto key = s.protocol == Protocol::postgresql ? inspect::cancel_key(bytes) : std::nullopt;
  const auto where = key ? setup_.shared->cancel_keys.find(*key) : std::nullopt;
  const auto* service = where ? plan_->table->find_service(where->service) : nullptr;
  if (service == nullptr) return {};
  for (const auto& module : service->modules)
    if (module->identity.name == where->module) return route::Slot::reserve(*module);
  return {};
}

void Worker::dial(Session& s, Bytes bytes) {
  const auto& service = *service_of(s).route;
  if (s.tries == 0)
    if (auto slot = slot_of_cancelled(s, bytes)) {
      s.slot = std::move(slot);
      if (dial_once(s, bytes)) return;
    }
  const auto& options = service.options;
  for (;;) {
    if (s.tries >= std::min<std::size_t>(options.connect_tries, dials_max)) return finish(s, End::connect_failed);
    route::PickQuestion question{.client = s.client_ip, .now = now_, .rng = rng_};
    if (options.hash_sni && s.protocol == Protocol::tls)
      if (const auto details = inspect::read_details(s.protocol, bytes); !details.sni.empty()) question.hash_key = route::key_of(details.sni);
    if (s.held != nullptr) question.tried = s.held->tried();
    auto picked = plan_->table->pick(static_cast<std::uint32_t>(&service - plan_->table->services().data()), question);
    if (!picked) {
      if (s.tries > 0) return finish(s, End::connect_failed);
      if (picked.failure != route::PickFailure::all_full || options.queue.sessions_max == 0) return finish(s, End::no_module);
      return wait_for_place(s, bytes, {Phase::queued, full_retry, options.queue.timeout, &service.state->queued, options.queue.sessions_max, End::no_module});
    }
    s.slot = std::move(picked.slot);
    if (adopt_parked(s) || dial_once(s, bytes)) return;
    counters_.connect_retries.add();
  }
}

int Worker::open_module_socket(const route::ModuleState& module, bool delay_ack) {
  const auto address = to_socket_address(module.identity.endpoint);
  int descriptor = start_connect(address, delay_ack, plan_->relay.congestion);
  if ((descriptor == -EMFILE || descriptor == -ENFILE) && !spare_.empty()) {   // what the spare ones are for
    close(spare_.back());
    spare_.pop_back();
    descriptor = start_connect(address, delay_ack, plan_->relay.congestion);
    counters_.descriptors_exhausted.add();
    pause_accepting();
  }
  return descriptor;
}

bool Worker::dial_once(Session& s, Bytes bytes) {
  ++s.tries;
  const int module = open_module_socket(*s.slot, !bytes.empty());
  if (module < 0) {
    note_failure(s, -module);
    return false;
  }
  s.module = module;
  auto header = proxy_header_for(s);
  // A short first read has left nothing behind; edges that came while the session waited are gone.
  const bool drained = s.phase == Phase::detecting && !s.has(flag::fin_seen_up) && bytes.size() < buffer_bytes;
  if (!bytes.empty() || !header.empty()) {
    const auto sent = send_together(module, as_bytes(header), bytes);
    if (sent >= 0) {   // the handshake is over already: loopback, or a module that is near
      const auto taken = static_cast<std::size_t>(sent) - std::min(static_cast<std::size_t>(sent), header.size());
      register_module(s, false);
      if (s.held != nullptr) s.held->remainder[0].drop(std::min(taken, s.held->remainder[0].size()));
      const bool in_remainder = s.held != nullptr && !s.held->remainder[0].empty();
      if (taken < bytes.size() && !in_remainder) held_of(s).remainder[0].append(bytes.subspan(taken));
      if (taken < bytes.size()) {
        s.set(flag::stalled_up);
        want_writable(s, Flow::up);
      }
      s.bytes[0] += bytes.size();
      connected(s);
      if (!drained) pump_later(s);
      return true;
    }
    if (errno != EAGAIN) {
      note_failure(s, errno);
      return false;
    }
    Held& held = held_of(s);
    if (held.remainder[0].empty()) held.remainder[0].append(bytes);
    held.proxy_header = std::move(header);
  }
  register_module(s, true);
  if (s.has(flag::silent_client)) register_client(s);
  enter(s, Phase::connecting);
  set_deadline(s, static_cast<Tick>(service_of(s).route->options.connect_timeout / 1ms));
  return true;
}

std::string Worker::proxy_header_for(const Session& s) const {
  const auto version = s.slot->identity.send_proxy;
  if (version == registry::SendProxy::none) return {};
  const auto local = local_endpoint(s.client);
  inspect::ProxyAddresses addresses{s.client_ip, {}, s.client_port, 0};
  if (local && local->kind == Endpoint::Kind::ip) {
    addresses.destination = local->ip;
    addresses.destination_port = local->port;
  }
  const auto header = version == registry::SendProxy::v1 ? inspect::encode_proxy_v1(addresses) : inspect::encode_proxy_v2(addresses);
  return std::string(as_text(header.bytes()));
}

// Gives the module up: it is passed over for this session, and the failure counts against it.
void Worker::note_failure(Session& s, int error) {
  const bool ours = error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM || error == EADDRNOTAVAIL;
  if (!ours) report(s, route::Outcome::connect_failed);
  Held& held = held_of(s);
  if (held.tried_count < dials_max) held.tried_modules[held.tried_count++] = s.slot.module();
  leave_module(s);
}

void Worker::leave_module(Session& s) {
  if (s.module >= 0) close(s.module);
  s.module = -1;
  s.unset(flag::module_writable_wanted | flag::fin_seen_down | flag::nodelay_set);
  if (s.held != nullptr) {
    s.held->proxy_header.clear();
    s.held->remainder[1].clear();   // what it had said of a greeting
  }
  s.slot.release();
}

void Worker::dial_failed(Session& s, int error) {
  note_failure(s, error);
  if (service_of(s).route == nullptr) return finish(s, End::no_module);
  counters_.connect_retries.add();
  dial(s, s.held->remainder[0].view());
}

// The handshake that was under way has ended well: what waited for it goes out.
void Worker::on_connected(Session& s) {
  if (s.held != nullptr && !s.held->proxy_header.empty()) {
    auto& header = s.held->proxy_header;
    if (send(s.module, header.data(), header.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(header.size())) return dial_failed(s, EPIPE);
    header.clear();
  }
  s.bytes[0] += s.held != nullptr ? s.held->remainder[0].size() : 0;
  connected(s);
  if (s.phase != Phase::relaying) return;
  if (flush(s, Flow::up) == Step::open && s.has(flag::client_registered)) pump_later(s);   // what the client sent meanwhile
}

void Worker::connected(Session& s) {
  read_clock();   // a connect may have taken time since this batch began
  const auto took = since(s.accepted_ns, now_) - std::chrono::microseconds(s.detect_us);
  s.connect_us = to_us(took);
  s.slot.connected();
  auto& cell = cell_of(s);
  cell.routed.add();
  if (auto* half = half_of(s)) half->routed.add();
  cell.connect_time.record(took);
  report(s, route::Outcome::connected);
  if (s.has(flag::silent_client)) {
    enter(s, Phase::greeting);
    set_deadline(s, greeting_ms);
    return register_client(s);
  }
  enter(s, Phase::relaying);
  wheel_.cancel(s);
  set_deadline(s, service_of(s).idle_ms);
  if (s.protocol == Protocol::postgresql) held_of(s).key_scan.emplace();
  release_held(s);
  if (s.has(flag::client_registered)) return;
  if (register_soon_.empty()) register_soon_since_ = tick_;
  register_soon_.push_back({&s, s.accepted_ns});
}

// A server that speaks first is believed when it greets as its protocol says.
void Worker::on_greeting(Session& s) {
  while (s.phase == Phase::greeting) {   // an end behind a cut greeting has no event of its own
    const auto n = recv(s.module, buffer_.get(), buffer_bytes, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) return dial_failed(s, ECONNRESET);
    held_of(s).remainder[1].append({buffer_.get(), static_cast<std::size_t>(n)});
    pass_greeting(s);
  }
}

void Worker::pass_greeting(Session& s) {
  const auto bytes = s.held->remainder[1].view();
  switch (inspect::check_greeting(bytes)) {
    case inspect::GreetingCheck::more: return;
    case inspect::GreetingCheck::other: return finish(s, End::bad_greeting);
    case inspect::GreetingCheck::greeting:
    case inspect::GreetingCheck::error: break;
  }
  if (listener_of(s).options.silent.adaptive) setup_.shared->silent_sources.remember(s.client_ip);
  enter(s, Phase::relaying);
  wheel_.cancel(s);
  set_deadline(s, service_of(s).idle_ms);
  if (first_answer(s, bytes) == Step::ended) return;
  s.bytes[1] += bytes.size();
  s.set(flag::stalled_down);
  if (flush(s, Flow::down) == Step::open) pump_later(s);
}

// A client that was taken for silent speaks before the greeting has reached it: it is detected again.
void Worker::on_early_client_bytes(Session& s) {
  if (!s.has(flag::silent_client) || listener_of(s).options.protocol) return;
  setup_.shared->silent_sources.forget(s.client_ip);
  if (!park(s)) leave_module(s);
  s.unset(flag::module_writable_wanted | flag::fin_seen_down);
  if (s.ticket) plan_->limits->release(s.ticket);
  s.ticket = {};
  s.tries = 0;
  s.protocol = Protocol::unknown;
  s.unset(flag::silent_client);
  if (s.held != nullptr) s.held->tried_count = 0;
  release_held(s);
  enter(s, Phase::detecting);
  read_first(s);
}

}  // namespace nlb::relay
