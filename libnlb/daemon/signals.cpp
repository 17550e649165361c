#include "libnlb/daemon/signals.hpp"

#include <csignal>

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>

namespace nlb::daemon {

struct Signals::Impl {
  Impl(ControlLoop& loop, SignalHandlers wanted)
      : set(loop.native(), SIGTERM, SIGINT, SIGHUP), handlers(std::move(wanted)) {
    set.add(SIGUSR1);
    set.add(SIGUSR2);
    wait();
  }
  void wait() {
    set.async_wait([this](const boost::system::error_code& error, int number) {
      if (error) return;   // cancelled by our destructor: `this` is gone
      wait();
      dispatch(number);
    });
  }
  void dispatch(int number) {
    switch (number) {
      case SIGHUP: return handlers.reload();
      case SIGUSR1: return handlers.reopen_logs();
      case SIGUSR2: return handlers.succeed();
      default: return std::exchange(asked_to_end, true) ? handlers.stop_now() : handlers.drain();
    }
  }
  boost::asio::signal_set set;
  SignalHandlers handlers;
  bool asked_to_end = false;
};

Signals::Signals(ControlLoop& loop, SignalHandlers handlers) {
  std::signal(SIGPIPE, SIG_IGN);
  impl_ = std::make_unique<Impl>(loop, std::move(handlers));
}

// The way out has nothing left to reload or hand over: such a signal is late, not a reason to be killed by it. TERM and INT still end it.
Signals::~Signals() {
  const SignalsHeld held;
  impl_.reset();
  for (const int late : {SIGHUP, SIGUSR1, SIGUSR2}) std::signal(late, SIG_IGN);
}

SignalsHeld::SignalsHeld() {
  sigset_t all;
  sigfillset(&all);
  for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS}) sigdelset(&all, fault);
  pthread_sigmask(SIG_SETMASK, &all, &before_);
}
SignalsHeld::~SignalsHeld() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

}  // namespace nlb::daemon
