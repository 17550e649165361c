// A progress bar on a terminal's stderr, for files that take a while.
#pragma once

#include <chrono>
#include <cstdint>

namespace nlb::inspect_tool {

class Progress {
 public:
  explicit Progress(std::uint64_t size);   // bytes of the whole file; small or unknown: no bar
  ~Progress();
  void at(std::uint64_t bytes);            // cheap; draws at most ten times a second

 private:
  std::uint64_t size_;
  bool shown_;
  bool drawn_ = false;
  std::chrono::steady_clock::time_point next_{};
};

}  // namespace nlb::inspect_tool
