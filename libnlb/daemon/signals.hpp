// What signals mean to a daemon: TERM or INT drain, a second one stops now; HUP reloads; USR1 opens the log files anew; USR2 starts a
// successor. Handlers run on the control loop, never in signal context. SIGPIPE is ignored: a gone peer is an error value where it is met.
#pragma once

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

}  // namespace nlb::daemon
