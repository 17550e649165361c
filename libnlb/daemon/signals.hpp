// What signals mean to a daemon: TERM or INT drain, a second one stops now; HUP reloads; USR1 opens the log files anew; USR2 starts a
// successor. Handlers run on the control loop, never in signal context. SIGPIPE is ignored: a gone peer is an error value where it is met.
#pragma once

#include <csignal>
#include <functional>
#include <memory>

#include "libnlb/daemon/loop.hpp"

namespace nlb::daemon {

struct SignalHandlers { std::function<void()> drain, stop_now, reload, reopen_logs, succeed; };

class Signals {   // owned by the loop's thread
 public:
  Signals(ControlLoop& loop, SignalHandlers handlers);
  ~Signals();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Threads that are started while one of these lives get no signals, so nothing in them is interrupted (EINTR): the kernel gives a signal to
// any thread that takes it. For the calling thread they wait. What a thread's own fault raises (SEGV and its like) comes as ever.
class SignalsHeld {
 public:
  SignalsHeld();
  ~SignalsHeld();
  SignalsHeld(const SignalsHeld&) = delete;
  SignalsHeld& operator=(const SignalsHeld&) = delete;

 private:
  sigset_t before_;
};

}  // namespace nlb::daemon
