// The access log: one JSON line per session, appended to a file. Workers format into a buffer of their own (json_line.hpp) and hand
// whole buffers to one writer thread, so a slow disk costs lines, never traffic: the queue is bounded, what does not fit is dropped
// and counted, and a write error is counted and logged once, never fatal.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "libnlb/core/result.hpp"
#include "libnlb/core/time.hpp"

namespace nlb::daemon {

class AccessLog {
 public:
  static constexpr std::size_t queue_bytes_max = 16u << 20;
  struct Counters { std::uint64_t lines_dropped = 0, lines_lost = 0, write_errors = 0, reopens = 0; };   // dropped: queue full; lost: write failed

  // Opens (O_APPEND, 0640; "-" is stdout) and starts the writer thread; unavailable when the file can't be opened.
  static Result<std::unique_ptr<AccessLog>> open(std::string path);
  ~AccessLog();   // writes what is queued

  void submit(std::string&& lines);   // any thread; whole lines; does not wait for the disk
  void reopen();                      // any thread; after what is queued now, for logrotate
  Counters counters() const;          // any thread

 private:
  struct Impl;
  explicit AccessLog(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// A worker's own end: not thread-safe. Format a line into line(), then call done(); call flush_if_due() once a second at least.
class AccessBuffer {
 public:
  static constexpr std::size_t bytes_max = 32u << 10;
  static constexpr Duration age_max = std::chrono::milliseconds(500);
  explicit AccessBuffer(AccessLog* log) : log_(log) {}   // null: no access log
  ~AccessBuffer() { flush(); }
  AccessBuffer(const AccessBuffer&) = delete;
  AccessBuffer& operator=(const AccessBuffer&) = delete;

  bool enabled() const { return log_ != nullptr; }
  std::string& line() { return lines_; }
  void done(MonoTime now) {
    if (lines_.size() >= bytes_max || now - last_flush_ >= age_max) flush(now);
  }
  void flush_if_due(MonoTime now) {
    if (!lines_.empty() && now - last_flush_ >= age_max) flush(now);
  }
  void flush(MonoTime now = {}) {
    last_flush_ = now;
    if (log_ == nullptr || lines_.empty()) return;
    log_->submit(std::move(lines_));
    lines_ = {};
  }

 private:
  AccessLog* log_;
  std::string lines_;
  MonoTime last_flush_{};
};

}  // namespace nlb::daemon
