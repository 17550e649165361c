// The control loop: one Asio io_context for signals, timers, admin HTTP and whatever else is not traffic. One thread runs it; post()
// is safe from every thread, everything else belongs to the loop's thread or to the time before run(). Asio stays out of this header;
// who needs the io_context itself includes <boost/asio/io_context.hpp> and takes native().
#pragma once

#include <functional>
#include <memory>

#include "libnlb/core/time.hpp"

namespace boost::asio { class io_context; }

namespace nlb::daemon {

class Timer;   // cancelled when destroyed

class ControlLoop {
 public:
  ControlLoop();
  ~ControlLoop();
  boost::asio::io_context& native();
  void run();                                  // until stop()
  void stop();                                 // any thread
  void post(std::function<void()> work);       // any thread; runs on the loop
  [[nodiscard]] std::unique_ptr<Timer> after(Duration delay, std::function<void()> work);
  [[nodiscard]] std::unique_ptr<Timer> every(Duration period, std::function<void()> work);   // a late tick is not made up for

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

class Timer {
 public:
  ~Timer();

 private:
  friend class ControlLoop;
  struct Impl;
  explicit Timer(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace nlb::daemon
