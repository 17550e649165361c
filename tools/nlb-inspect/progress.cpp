#include "tools/nlb-inspect/progress.hpp"

#include <unistd.h>

#include <cstdio>
#include <string>

namespace nlb::inspect_tool {
namespace {

constexpr std::uint64_t worth_a_bar = 32u << 20;
constexpr std::size_t width = 40;

}  // namespace

Progress::Progress(std::uint64_t size) : size_(size), shown_(size >= worth_a_bar && ::isatty(STDERR_FILENO) != 0) {}

Progress::~Progress() {
  if (drawn_) std::fputs("\r\033[K", stderr);
}

void Progress::at(std::uint64_t bytes) {
  if (!shown_) return;
  const auto now = std::chrono::steady_clock::now();
  if (now < next_) return;
  next_ = now + std::chrono::milliseconds(100);
  drawn_ = true;
  const auto part = bytes < size_ ? bytes : size_;
  std::string bar(part * width / size_, '#');
  bar.resize(width, '.');
  std::fprintf(stderr, "\r[%s] %3u%% of %llu MiB", bar.c_str(), static_cast<unsigned>(part * 100 / size_),
               static_cast<unsigned long long>(size_ >> 20));
}

}  // namespace nlb::inspect_tool
