// What a session holds only while bytes are in flight: the unsent remainder of each direction, and the pipe of a spliced stream.
// An idle session has none of this. Owner: one worker.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "libnlb/core/bytes.hpp"
#include "libnlb/core/time.hpp"
#include "libnlb/inspect/backend_key.hpp"
#include "libnlb/route/module_state.hpp"

namespace nlb::relay {

class Remainder {   // a byte queue that is filled seldom and emptied soon
 public:
  bool empty() const { return begin_ == bytes_.size(); }
  std::size_t size() const { return bytes_.size() - begin_; }
  Bytes view() const { return {bytes_.data() + begin_, size()}; }
  void append(Bytes more) {
    if (empty()) clear();
    bytes_.insert(bytes_.end(), more.begin(), more.end());
  }
  void drop(std::size_t n) {
    begin_ += n;
    if (empty()) clear();
  }
  void clear() {
    bytes_.clear();
    begin_ = 0;
  }

 private:
  std::vector<std::uint8_t> bytes_;
  std::size_t begin_ = 0;
};

struct Pipe {
  int read_end = -1, write_end = -1;
  std::uint32_t capacity = 0;
  std::uint32_t filled = 0;
  explicit operator bool() const { return read_end >= 0; }
};

// A direction that is spliced (splice.cpp).
struct Stream {
  std::uint8_t small = 0, full = 0;   // splices in a row that moved little; those that filled the pipe
  bool low_water = false;             // its socket tells of bytes only when there are many
  bool watched = false;               // is in the worker's list of those that may end without telling
  MonoTime moved_at{};                // the last bytes
};

inline constexpr std::size_t dials_max = 8;   // per session, whatever the configuration says

struct Held {
  Remainder remainder[2];        // indexed by Flow (session.hpp)
  Pipe pipe[2];
  Stream stream[2];
  MonoTime resume_at[2] = {};    // a byte rate limit pauses reading until then
  MonoTime wait_until{};         // end of a queue's patience; zero: not waiting
  std::atomic<std::uint32_t>* line = nullptr;   // who waits where this session waits; it is counted there
  std::string proxy_header;      // goes out before anything else, once connected
  std::array<route::ModuleState*, dials_max> tried_modules{};
  std::uint8_t tried_count = 0;
  std::optional<inspect::BackendKeyScan> key_scan;   // while a PostgreSQL server may still tell its cancellation key

  std::span<route::ModuleState* const> tried() const { return {tried_modules.data(), tried_count}; }
  bool holds(std::size_t flow) const { return !remainder[flow].empty() || pipe[flow].filled > 0; }   // bytes that are not sent on yet
  bool empty() const {
    return remainder[0].empty() && remainder[1].empty() && !pipe[0] && !pipe[1] && proxy_header.empty() && !key_scan;
  }
};

}  // namespace nlb::relay
