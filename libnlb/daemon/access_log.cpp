#include "libnlb/daemon/access_log.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <string_view>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include "libnlb/daemon/log.hpp"
#include "libnlb/daemon/reason.hpp"

namespace nlb::daemon {
namespace {

int open_for_append(const std::string& path) {
  if (path == "-") return fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0);
  return ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
}

std::uint64_t lines_in(std::string_view text) {
  return static_cast<std::uint64_t>(std::count(text.begin(), text.end(), '\n'));
}

}  // namespace

struct AccessLog::Impl {
  std::string path;
  int descriptor = -1;
  bool torn = false;      // the last write ended inside a line: the next one starts with a newline
  bool failing = false;   // an error was logged and no write has worked since

  std::mutex mutex;       // held for a push or a swap, never while writing
  std::condition_variable wake;
  std::vector<std::string> queue;
  std::size_t queued_bytes = 0;
  bool stopping = false, reopen_wanted = false;

  std::atomic<std::uint64_t> dropped{0}, lost{0}, errors{0}, reopens{0};
  std::thread writer;

  void run() {
    for (bool last = false; !last;) {
      std::unique_lock lock(mutex);
      wake.wait(lock, [&] { return stopping || reopen_wanted || !queue.empty(); });
      auto batch = std::exchange(queue, {});
      queued_bytes = 0;
      const bool reopen_now = std::exchange(reopen_wanted, false);
      last = stopping;
      lock.unlock();
      for (const auto& lines : batch) write_all(lines);
      if (reopen_now) reopen_file();
    }
  }

  void write_all(std::string_view lines) {
    if (torn && ::write(descriptor, "\n", 1) == 1) torn = false;
    while (!lines.empty()) {
      const auto written = ::write(descriptor, lines.data(), lines.size());
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) return write_failed(lines);
      failing = false;
      torn = lines[static_cast<std::size_t>(written) - 1] != '\n';
      lines.remove_prefix(static_cast<std::size_t>(written));
    }
  }

  void write_failed(std::string_view rest) {
    lost += lines_in(rest);
    ++errors;
    if (!std::exchange(failing, true))
      log::error("the access log can't be written: lines are lost until it can", {{"file", path}, {"reason", reason()}});
  }

  void reopen_file() {
    const int fresh = open_for_append(path);
    if (fresh < 0) {
      ++errors;
      log::error("the access log can't be opened again: the old file is kept", {{"file", path}, {"reason", reason()}});
      return;
    }
    ::close(std::exchange(descriptor, fresh));
    torn = false;
    ++reopens;
  }
};

Result<std::unique_ptr<AccessLog>> AccessLog::open(std::string path) {
  auto impl = std::make_unique<Impl>();
  impl->descriptor = open_for_append(path);
  if (impl->descriptor < 0)
    return fail(ErrorKind::unavailable, "the access log " + path + " can't be opened: " + reason() + ": check log.access.file");
  impl->path = std::move(path);
  return std::unique_ptr<AccessLog>(new AccessLog(std::move(impl)));
}

AccessLog::AccessLog(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {
  impl_->writer = std::thread([this] { impl_->run(); });
}

AccessLog::~AccessLog() {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->stopping = true;
  }
  impl_->wake.notify_one();
  impl_->writer.join();
  ::close(impl_->descriptor);
}

void AccessLog::submit(std::string&& lines) {
  {
    const std::lock_guard lock(impl_->mutex);
    if (impl_->queued_bytes + lines.size() > queue_bytes_max) {
      impl_->dropped += lines_in(lines);
      return;
    }
    impl_->queued_bytes += lines.size();
    impl_->queue.push_back(std::move(lines));
  }
  impl_->wake.notify_one();
}

void AccessLog::reopen() {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->reopen_wanted = true;
  }
  impl_->wake.notify_one();
}

AccessLog::Counters AccessLog::counters() const { return {impl_->dropped, impl_->lost, impl_->errors, impl_->reopens}; }

}  // namespace nlb::daemon
