// One worker: one thread, one core, one loop, its own listeners, sessions, buffers and counters. Nothing migrates but fresh connections
// when the kernel has spread them badly.
//
// The loop waits in a private edge-triggered epoll set that holds every relayed socket, registered once. The thread's io_context is its
// inbox: other threads post to it and ring a doorbell descriptor in the set. (An io_context that waits by itself, with the set nested in
// it, costs an extra epoll_wait and epoll_ctl per batch; measured at 64 against 60 us of CPU a connection.)
//
// The parts: intake.cpp (accept, first bytes, detection), dial.cpp (route, limits, pick, connect, greeting), pump.cpp (relay), splice.cpp (long streams),
// batch.cpp (small chunks sent together), parked.cpp (greeted connections kept for the next client), finish.cpp (the end of a session),
// leaving.cpp (draining, listeners that retire), worker.cpp (loop, timers, plans).
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "libnlb/core/rng.hpp"
#include "libnlb/daemon/access_log.hpp"
#include "libnlb/relay/counters.hpp"
#include "libnlb/relay/failures.hpp"
#include "libnlb/relay/pipe_pool.hpp"
#include "libnlb/relay/plan.hpp"
#include "libnlb/relay/send_batch.hpp"
#include "libnlb/relay/session_pool.hpp"
#include "libnlb/relay/shared.hpp"
#include "libnlb/route/outlier.hpp"
#include "libnlb/relay/socket.hpp"

struct epoll_event;

namespace nlb::relay {

struct WorkerSetup {
  std::size_t index = 0, count = 1;
  int cpu = -1;                         // pinned to it; -1: not
  bool splice = true;
  bool io_uring = true;                 // send small chunks together
  std::uint32_t pipes_max = 128;
  std::uint64_t seed = 0;
  daemon::AccessLog* access_log = nullptr;
  Shared* shared = nullptr;             // of all workers; outlives them
};

class Worker {
 public:
  explicit Worker(const WorkerSetup& setup);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // Any thread.
  void run();                                   // blocks until stop(); call once, from the worker's own thread
  void post(std::function<void()> task);        // runs on the worker's thread, soon
  const Counters& counters() const { return counters_; }
  std::vector<Failure> take_failures() { return failures_.take(); }
  std::uint64_t plan_in_force() const { return plan_in_force_.load(std::memory_order_acquire); }   // Plan::generation
  void set_peers(std::vector<Worker*> peers) { peers_ = std::move(peers); }   // before run(), for balancing accepts

  // On the worker's thread (through post), or before run().
  void set_plan(std::shared_ptr<const Plan> plan);
  void add_listener(int descriptor, std::uint8_t listener, bool shared);   // takes the descriptor; shared: other workers wait on it too
  // Begins no new handshakes, serves what is in the queue, then closes; `elsewhere`: another process accepts from the very same socket.
  void retire_listener(std::uint8_t listener, bool elsewhere = false);
  void drain_all(Duration timeout, Duration jitter);   // every session ends by itself, or at now + timeout + up to jitter
  void stop();                                  // ends every session now and leaves run()

 private:
  struct ListenSocket {
    Worker* worker = nullptr;
    int descriptor = -1;
    std::uint8_t listener = 0;
    bool shared = false, paused = false;
    Tick close_at_ms = 0;                       // retiring: when to close; 0: not retiring
    bool elsewhere = false;                     // retiring: another process takes what is in the queue
  };
  struct alignas(8) Parked {                    // a connection to a server that speaks first, without a client
    int descriptor = -1;
    route::Slot slot;
    Tick until_ms = 0;
    std::vector<std::uint8_t> greeting;         // as much of it as has come
  };
  enum class Step : std::uint8_t { open, ended };   // does the session still exist?
  enum class Tag : std::uintptr_t { client, module, listener, doorbell, parked };   // what an event's pointer points at: its low bits

  // worker.cpp
  void loop();
  void dispatch(const epoll_event& event);
  void on_module_event(Session& s, std::uint32_t events);
  void on_client_event(Session& s, std::uint32_t events);
  void on_timer(TimerLink& link);
  void on_deadline(Session& s);
  void housekeeping();
  void publish_load();
  void read_clock();
  void watch(int descriptor, void* who, Tag tag, int operation, bool writable = false);
  void register_client(Session& s, bool writable = false);
  void register_module(Session& s, bool writable);
  void want_writable(Session& s, Flow flow);    // the receiver of `flow` is to tell when it takes bytes again
  void set_deadline(Session& s, Tick from_now_ms);
  void set_idle_deadline(Session& s);
  void set_pause_deadline(Session& s);

  // intake.cpp
  bool accept_batch(ListenSocket& socket);      // true: more may be waiting in the queue
  void admit_client(int descriptor, const SocketAddress& peer, std::uint8_t listener);
  Worker* emptier_peer() const;
  void pause_accepting();
  void resume_accepting();
  void read_first(Session& s);
  void consider(Session& s, Bytes bytes);
  Step step_over_proxy_header(Session& s, Bytes& bytes);
  void await_more(Session& s, Bytes bytes);
  void on_detect_deadline(Session& s);
  void chosen(Session& s, Protocol protocol, Bytes bytes);

  // dial.cpp
  void route_session(Session& s, Bytes bytes, bool last_chance);
  void place(Session& s, Bytes bytes);          // limits, pick, dial
  struct Queueing { Phase phase; Duration retry, patience; std::atomic<std::uint32_t>* line; std::uint32_t sessions_max; End when_full; };
  void wait_for_place(Session& s, Bytes bytes, const Queueing& queueing);
  void dial(Session& s, Bytes bytes);
  bool dial_once(Session& s, Bytes bytes);      // false: failed at once, try another
  void note_failure(Session& s, int error);
  void dial_failed(Session& s, int error);
  void on_connected(Session& s);
  void connected(Session& s);
  void on_greeting(Session& s);
  void pass_greeting(Session& s);
  void on_early_client_bytes(Session& s);
  void leave_module(Session& s);
  int open_module_socket(const route::ModuleState& module, bool delay_ack);
  std::string proxy_header_for(const Session& s) const;

  route::Slot slot_of_cancelled(const Session& s, Bytes bytes) const;

  // parked.cpp
  bool park(Session& s);
  bool adopt_parked(Session& s);
  void on_parked_event(Parked& parked);
  void drop_parked(Parked& parked);
  void expire_parked();

  // pump.cpp
  Step pump(Session& s, Flow flow);
  Step copy_once(Session& s, Flow flow, bool& drained);
  Step flush(Session& s, Flow flow);
  Step source_ended(Session& s, Flow flow);
  Step source_failed(Session& s, Flow flow);
  Step finish_if_done(Session& s);
  Step first_answer(Session& s, Bytes bytes);
  void learn_key(Session& s, Bytes bytes);
  void report(Session& s, route::Outcome outcome);
  void hold(Session& s, Flow flow, Bytes bytes);
  void send_without_delay(Session& s);
  static Step nothing_left(Session& s, Flow flow);
  void pump_later(Session& s);
  void run_ready();

  // splice.cpp
  Step splice_once(Session& s, Flow flow, bool& drained);
  void set_low_water(Session& s, Flow flow, bool on);
  void watch_tail(Session& s, Flow flow);
  void look_at_tails();

  // batch.cpp
  void open_batch();                            // on the thread that runs the loop
  Step queue_send(Session& s, Flow flow, std::size_t bytes);
  void settle();
  bool is_settled(const Session& s) {           // no send of this session is outstanding, and it still exists
    if (s.queued != 0) settle();
    return s.phase != Phase::closed;
  }

  // leaving.cpp
  void sweep_leaving();
  void end_versions();
  void fix_deadline(Session& s, Tick deadline_ms);
  void close_retired();
  // finish.cpp
  void finish(Session& s, End end);
  void enter(Session& s, Phase next);
  void account(Session& s, End end);
  void write_access(const Session& s, End end);
  Held& held_of(Session& s);
  void release_held(Session& s);

  const ServicePlan& service_of(const Session& s) const { return plan_->services[s.service]; }
  const ListenerPlan& listener_of(const Session& s) const { return plan_->listeners[s.listener]; }
  route::Cell& cell_of(Session& s) { return s.slot->cell(setup_.index); }
  route::HalfCell* half_of(const Session& s) const;   // nullptr: nobody compares halves, or the client is of the other one

  static constexpr std::size_t buffer_bytes = 64 * 1024;
  static constexpr int accepts_per_event = 64;
  static constexpr std::size_t spare_descriptors = 16;
  static constexpr int chunks_per_turn = 16;    // then others are served: edge-triggered epoll won't tell again, ready_ does

  WorkerSetup setup_;
  struct Inbox;                                 // the io_context
  std::unique_ptr<Inbox> inbox_;
  int epoll_ = -1, doorbell_ = -1;
  bool stopping_ = false, accepting_paused_ = false;
  MonoTime now_{};
  MonoTime started_{};
  Tick tick_ = 0;
  Rng rng_;
  std::shared_ptr<const Plan> plan_;
  SessionPool pool_;
  TimerWheel wheel_{0};
  TimerLink resume_timer_, retire_timer_, flush_timer_, parked_timer_;
  std::vector<std::unique_ptr<Parked>> parked_, parked_resting_;
  PipePool pipes_;
  std::vector<std::unique_ptr<ListenSocket>> sockets_;
  std::vector<Session*> ready_;
  struct Tail { Session* session; std::uint64_t accepted_ns; Flow flow; };
  std::vector<Tail> tails_;                     // at most one for each pipe
  struct Soon { Session* session; std::uint64_t accepted_ns; };
  std::vector<Soon> register_soon_;             // clients whose registration waits for a reason
  Tick register_soon_since_ = 0;
  std::uint32_t waiting_ = 0, recent_accepts_ = 0;
  Tick averaged_at_ = 0;
  std::vector<int> spare_;                      // descriptors kept back so that an accepted client can still get a module
  std::vector<Worker*> peers_;
  daemon::AccessBuffer access_;
  std::unique_ptr<std::uint8_t[]> buffer_;
  std::unique_ptr<SendBatch> batch_;            // null: every chunk is sent at once
  bool batching_ = false;                       // this batch of events is large enough
  Counters counters_;
  FailureLog failures_;
  std::atomic<std::uint64_t> plan_in_force_{0};
};

}  // namespace nlb::relay
