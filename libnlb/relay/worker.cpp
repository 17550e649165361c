#include "libnlb/relay/worker.hpp"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <algorithm>
#include <chrono>

namespace nlb::relay {
namespace {

constexpr std::uintptr_t tag_mask = 7;   // everything that an event points at is aligned to eight bytes

constexpr std::uint32_t edge_events = EPOLLIN | EPOLLRDHUP | EPOLLPRI | EPOLLET;
constexpr int events_per_wait = 256;
constexpr int batch_events_min = 4;         // fewer are served one by one
constexpr Tick register_soon_after_ms = 4;

// A FIN has come, and nothing makes a read stop short of it: a reset also raises RDHUP (its error is read later), and urgent data cuts reads.
constexpr bool is_last_call(std::uint32_t events) { return (events & (EPOLLRDHUP | EPOLLPRI | EPOLLERR)) == EPOLLRDHUP; }

// Behind a short read something may still stand that no new edge will tell of: an error, or bytes after an urgent mark. Session::doubted
// remembers it until a read finds nothing, also where a full receiver or a byte limit comes in between.
constexpr bool hides_more(std::uint32_t events) { return (events & (EPOLLPRI | EPOLLERR)) != 0; }

void pin_to(int cpu) {
  if (cpu < 0) return;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<unsigned>(cpu), &set);
  pthread_setaffinity_np(pthread_self(), sizeof set, &set);
}

}  // namespace

struct Worker::Inbox {
  boost::asio::io_context io{1};   // one thread runs it; posts come from others
};

Worker::Worker(const WorkerSetup& setup)
    : setup_(setup), inbox_(std::make_unique<Inbox>()), rng_(setup.seed + setup.index), pipes_(setup.pipes_max),
      access_(setup.access_log), buffer_(std::make_unique<std::uint8_t[]>(buffer_bytes)) {
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  doorbell_ = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = static_cast<std::uint64_t>(Tag::doorbell);
  epoll_ctl(epoll_, EPOLL_CTL_ADD, doorbell_, &event);
  while (spare_.size() < spare_descriptors) spare_.push_back(open("/dev/null", O_RDONLY | O_CLOEXEC));
  started_ = std::chrono::steady_clock::now();
  read_clock();
}

Worker::~Worker() {
  for (auto& socket : sockets_)
    if (socket->descriptor >= 0) close(socket->descriptor);
  for (int descriptor : spare_)
    if (descriptor >= 0) close(descriptor);
  close(doorbell_);
  close(epoll_);
}

void Worker::post(std::function<void()> task) {
  boost::asio::post(inbox_->io, std::move(task));
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = write(doorbell_, &one, sizeof one);
}

void Worker::read_clock() {
  now_ = std::chrono::steady_clock::now();
  tick_ = static_cast<Tick>(std::chrono::duration_cast<std::chrono::milliseconds>(now_ - started_).count());
}

void Worker::run() {
  pin_to(setup_.cpu);
  open_batch();
  loop();
  inbox_->io.restart();
  inbox_->io.poll();   // nothing that was posted is lost
  batch_.reset();      // its ring belongs to this thread
  access_.flush(now_);
}

void Worker::loop() {
  epoll_event events[events_per_wait];
  while (!stopping_) {
    int wait = ready_.empty() ? wheel_.wait_ms(tick_) : 0;
    if (!register_soon_.empty() && (wait < 0 || wait > static_cast<int>(register_soon_after_ms))) wait = register_soon_after_ms;
    if (!tails_.empty() && (wait < 0 || wait > 1)) wait = 1;
    const int count = epoll_wait(epoll_, events, events_per_wait, wait);
    read_clock();
    batching_ = batch_ != nullptr && count >= batch_events_min;
    for (int i = 0; i < count; ++i) dispatch(events[i]);
    if (batching_) settle();
    batching_ = false;
    run_ready();
    if (!tails_.empty()) look_at_tails();
    housekeeping();
  }
}

void Worker::dispatch(const epoll_event& event) {
  void* const pointer = reinterpret_cast<void*>(event.data.u64 & ~tag_mask);
  switch (static_cast<Tag>(event.data.u64 & tag_mask)) {
    case Tag::client: return on_client_event(*static_cast<Session*>(pointer), event.events);
    case Tag::module: return on_module_event(*static_cast<Session*>(pointer), event.events);
    case Tag::listener: return static_cast<void>(accept_batch(*static_cast<ListenSocket*>(pointer)));   // it is level-triggered
    case Tag::parked: return on_parked_event(*static_cast<Parked*>(pointer));
    case Tag::doorbell: {
      std::uint64_t rings = 0;
      [[maybe_unused]] const auto n = read(doorbell_, &rings, sizeof rings);
      inbox_->io.restart();
      inbox_->io.poll();
    }
  }
}

void Worker::on_client_event(Session& s, std::uint32_t events) {
  if (s.phase == Phase::closed) return;   // it ended earlier in this batch
  if (is_last_call(events)) s.set(flag::fin_seen_up);
  if (hides_more(events)) s.doubted |= bit(Flow::up);
  switch (s.phase) {
    case Phase::detecting:
      read_first(s);
      if (s.phase == Phase::relaying && s.doubted != 0) pump_later(s);
      return;
    case Phase::waiting:
    case Phase::queued:
      if (events & (EPOLLERR | EPOLLHUP)) finish(s, End::client_reset);
      return;
    case Phase::connecting:
    case Phase::greeting:
      if (events & (EPOLLERR | EPOLLHUP)) return finish(s, End::client_reset);
      return on_early_client_bytes(s);
    case Phase::relaying: break;
    case Phase::closed: return;
  }
  if ((events & EPOLLERR) && s.has(flag::stalled_up | flag::paused_up | flag::ended_up)) return finish(s, End::client_reset);
  if ((events & EPOLLOUT) && flush(s, Flow::down) == Step::ended) return;
  if (!(events & ~std::uint32_t{EPOLLOUT})) return;
  static_cast<void>(pump(s, Flow::up));
}

void Worker::on_module_event(Session& s, std::uint32_t events) {
  if (s.phase == Phase::closed || s.module < 0) return;
  if (s.phase == Phase::connecting) {
    if (events & (EPOLLERR | EPOLLHUP)) return dial_failed(s, pending_error(s.module));
    if (!(events & EPOLLOUT)) return;
    on_connected(s);
    if (s.phase != Phase::relaying && s.phase != Phase::greeting) return;
  }
  if (is_last_call(events)) s.set(flag::fin_seen_down);
  if (hides_more(events)) s.doubted |= bit(Flow::down);
  if (s.phase == Phase::greeting) {
    if (events & (EPOLLIN | EPOLLERR | EPOLLHUP | EPOLLRDHUP)) on_greeting(s);
    return;
  }
  if ((events & EPOLLERR) && s.has(flag::stalled_down | flag::paused_down | flag::ended_down)) {
    finish(s, End::module_reset);
    return;
  }
  if ((events & EPOLLOUT) && flush(s, Flow::up) == Step::ended) return;
  if (!(events & ~std::uint32_t{EPOLLOUT})) return;
  static_cast<void>(pump(s, Flow::down));
}

void Worker::on_timer(TimerLink& link) {
  if (&link == &resume_timer_) return resume_accepting();
  if (&link == &parked_timer_) return expire_parked();
  if (&link == &flush_timer_) return;   // housekeeping flushes the access log
  if (&link == &retire_timer_) return close_retired();
  on_deadline(static_cast<Session&>(link));
}

void Worker::on_deadline(Session& s) {
  switch (s.phase) {
    case Phase::detecting: return on_detect_deadline(s);
    case Phase::waiting:
    case Phase::queued: return place(s, s.held != nullptr ? s.held->remainder[0].view() : Bytes{});
    case Phase::connecting: return dial_failed(s, ETIMEDOUT);
    case Phase::greeting: return finish(s, End::bad_greeting);
    case Phase::relaying: break;
    case Phase::closed: return;
  }
  if (s.held != nullptr && s.has(flag::paused_up | flag::paused_down)) {   // a byte limit's pause is over
    for (Flow flow : {Flow::up, Flow::down}) {
      if (!s.has(flag::of(flag::paused_up, flow)) || s.held->resume_at[index(flow)] > now_) continue;
      s.unset(flag::of(flag::paused_up, flow));
      if (pump(s, flow) == Step::ended) return;
    }
    return set_pause_deadline(s);
  }
  finish(s, s.has(flag::deadline_fixed) ? End::drained : End::idle_timeout);
}

// A direction whose pause outlasts the deadline that came (the other's, or one rounded down) is looked at again when it ends.
void Worker::set_pause_deadline(Session& s) {
  auto next = MonoTime::max();
  for (Flow flow : {Flow::up, Flow::down})
    if (s.has(flag::of(flag::paused_up, flow))) next = std::min(next, s.held->resume_at[index(flow)]);
  if (next != MonoTime::max()) set_deadline(s, next > now_ ? static_cast<Tick>((next - now_) / 1ms) + 1 : 1);
  else if (s.previous == nullptr) set_idle_deadline(s);
}

void Worker::housekeeping() {
  wheel_.advance(tick_, [this](TimerLink& link) { on_timer(link); });
  if (!register_soon_.empty() && tick_ - register_soon_since_ >= register_soon_after_ms) {
    for (const auto& soon : register_soon_)
      if (soon.session->accepted_ns == soon.accepted_ns && soon.session->phase == Phase::relaying) register_client(*soon.session);
    register_soon_.clear();
  }
  pool_.recycle();
  parked_resting_.clear();
  if (accepting_paused_ && spare_.size() < spare_descriptors) resume_accepting();
  if (access_.enabled()) {
    access_.flush_if_due(now_);
    if (!access_.line().empty() && flush_timer_.previous == nullptr) wheel_.set(flush_timer_, tick_ + 500, tick_);
  }
  publish_load();
  counters_.waiting.store(waiting_, std::memory_order_relaxed);
  counters_.pipes_in_use.store(pipes_.in_use(), std::memory_order_relaxed);
  counters_.session_bytes.store(pool_.bytes(), std::memory_order_relaxed);
}

void Worker::publish_load() {
  const auto open = pool_.in_use();
  counters_.open.store(open, std::memory_order_relaxed);
  if (tick_ == averaged_at_) return;
  const auto average = counters_.open_average.load(std::memory_order_relaxed);
  const float weight = std::min(1.0f, static_cast<float>(tick_ - averaged_at_) / 1000.0f);
  counters_.open_average.store(average + (static_cast<float>(open) - average) * weight, std::memory_order_relaxed);
  if (tick_ / 1000 != averaged_at_ / 1000) recent_accepts_ = 0;
  averaged_at_ = tick_;
}

void Worker::watch(int descriptor, void* who, Tag tag, int operation, bool writable) {
  epoll_event event{};
  event.events = edge_events | (writable ? EPOLLOUT : 0u);
  event.data.u64 = reinterpret_cast<std::uintptr_t>(who) | static_cast<std::uintptr_t>(tag);
  epoll_ctl(epoll_, operation, descriptor, &event);
}

void Worker::register_client(Session& s, bool writable) {
  if (s.has(flag::client_registered)) return;
  watch(s.client, &s, Tag::client, EPOLL_CTL_ADD, writable);
  s.set(flag::client_registered);
  if (writable) s.set(flag::client_writable_wanted);
}

void Worker::register_module(Session& s, bool writable) {
  watch(s.module, &s, Tag::module, EPOLL_CTL_ADD, writable);
  if (writable) s.set(flag::module_writable_wanted);
}

// Most sockets never stall, so EPOLLOUT is added when the first one does: a registration with it would wake us once for nothing.
void Worker::want_writable(Session& s, Flow flow) {
  const auto wanted = flow == Flow::up ? flag::module_writable_wanted : flag::client_writable_wanted;
  if (s.has(wanted)) return;
  if (flow == Flow::down && !s.has(flag::client_registered)) return register_client(s, true);
  watch(s.receiver(flow), &s, flow == Flow::up ? Tag::module : Tag::client, EPOLL_CTL_MOD, true);
  s.set(wanted);
}

void Worker::set_deadline(Session& s, Tick from_now_ms) { wheel_.set(s, tick_ + from_now_ms, tick_); }

// Activity only stores the new deadline; the wheel finds out when the old one comes.
void Worker::set_idle_deadline(Session& s) {
  if (s.has(flag::deadline_fixed)) return;
  if (s.previous != nullptr && !s.has(flag::paused_up | flag::paused_down)) s.deadline_ms = tick_ + service_of(s).idle_ms;
  else if (s.previous == nullptr) set_deadline(s, service_of(s).idle_ms);
}

void Worker::set_plan(std::shared_ptr<const Plan> plan) {
  plan_ = std::move(plan);
  for (auto& socket : sockets_) set_listener_congestion(socket->descriptor, plan_->relay.congestion);
  sweep_leaving();
  end_versions();
  plan_in_force_.store(plan_->generation, std::memory_order_release);
}

void Worker::add_listener(int descriptor, std::uint8_t listener, bool shared) {
  auto socket = std::make_unique<ListenSocket>();
  socket->worker = this;
  socket->descriptor = descriptor;
  socket->listener = listener;
  socket->shared = shared;
  if (plan_ != nullptr) set_listener_congestion(descriptor, plan_->relay.congestion);
  epoll_event event{};
  event.events = EPOLLIN | (shared ? EPOLLEXCLUSIVE : 0u);
  event.data.u64 = reinterpret_cast<std::uintptr_t>(socket.get()) | static_cast<std::uintptr_t>(Tag::listener);
  epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event);
  sockets_.push_back(std::move(socket));
}

void Worker::stop() {
  stopping_ = true;
  pool_.for_each_open([this](Session& s) { finish(s, End::shut_down); });
  while (!parked_.empty()) drop_parked(*parked_.back());
  pool_.recycle();
  counters_.open.store(0, std::memory_order_relaxed);
}

}  // namespace nlb::relay
