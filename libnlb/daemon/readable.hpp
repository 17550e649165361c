// Calls back whenever a descriptor has something to read. Private to this folder's sources: it brings Asio in. Does not own the descriptor.
#pragma once

#include <functional>
#include <memory>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include "libnlb/daemon/loop.hpp"

namespace nlb::daemon {

class Readable {   // belongs to the loop's thread; may be destroyed in its own callback
 public:
  Readable(ControlLoop& loop, int descriptor, std::function<void()> work) : impl_(std::make_shared<Impl>(loop, descriptor, std::move(work))) {
    impl_->wait();
  }
  ~Readable() {
    impl_->over = true;
    impl_->descriptor.release();
  }
  Readable(const Readable&) = delete;
  Readable& operator=(const Readable&) = delete;

 private:
  struct Impl : std::enable_shared_from_this<Impl> {
    Impl(ControlLoop& loop, int number, std::function<void()> what) : descriptor(loop.native(), number), work(std::move(what)) {}
    void wait() {
      descriptor.async_wait(boost::asio::posix::descriptor_base::wait_read, [self = shared_from_this()](const boost::system::error_code& error) {
        if (error || self->over) return;
        self->work();
        if (!self->over) self->wait();
      });
    }
    boost::asio::posix::stream_descriptor descriptor;
    std::function<void()> work;
    bool over = false;
  };
  std::shared_ptr<Impl> impl_;
};

}  // namespace nlb::daemon
