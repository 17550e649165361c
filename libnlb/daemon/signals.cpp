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
Signals::~Signals() = default;

}  // namespace nlb::daemon
