#include "libnlb/daemon/loop.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

namespace nlb::daemon {
namespace asio = boost::asio;

struct ControlLoop::Impl {
  asio::io_context context{1};
  asio::executor_work_guard<asio::io_context::executor_type> work = asio::make_work_guard(context);
};

struct Timer::Impl : std::enable_shared_from_this<Timer::Impl> {
  Impl(asio::io_context& context, Duration period_wanted, std::function<void()> what)
      : timer(context), period(period_wanted), work(std::move(what)) {}
  void start(Duration delay) {
    timer.expires_after(delay);
    timer.async_wait([self = shared_from_this()](const boost::system::error_code& error) { self->fire(error); });
  }
  void fire(const boost::system::error_code& error) {
    if (error || cancelled) return;
    work();   // may destroy our Timer: `self` of start() keeps us alive
    if (period > Duration::zero() && !cancelled) start(period);
  }
  asio::steady_timer timer;
  Duration period;   // 0: once
  std::function<void()> work;
  bool cancelled = false;
};

ControlLoop::ControlLoop() : impl_(std::make_unique<Impl>()) {}
ControlLoop::~ControlLoop() = default;
asio::io_context& ControlLoop::native() { return impl_->context; }
void ControlLoop::run() { impl_->context.run(); }
void ControlLoop::stop() { impl_->context.stop(); }
void ControlLoop::post(std::function<void()> work) { asio::post(impl_->context, std::move(work)); }

std::unique_ptr<Timer> ControlLoop::after(Duration delay, std::function<void()> work) {
  auto impl = std::make_shared<Timer::Impl>(impl_->context, Duration::zero(), std::move(work));
  impl->start(delay);
  return std::unique_ptr<Timer>(new Timer(std::move(impl)));
}

std::unique_ptr<Timer> ControlLoop::every(Duration period, std::function<void()> work) {
  auto impl = std::make_shared<Timer::Impl>(impl_->context, period, std::move(work));
  impl->start(period);
  return std::unique_ptr<Timer>(new Timer(std::move(impl)));
}

Timer::Timer(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
Timer::~Timer() {
  impl_->cancelled = true;
  impl_->timer.cancel();
}

}  // namespace nlb::daemon
