#include "libnlb/cli/live.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <sstream>

#include "libnlb/cli/table.hpp"
#include "libnlb/core/time.hpp"

namespace nlb::cli {
namespace {

constexpr std::string_view hide_cursor = "\x1b[?25l", show_cursor = "\x1b[?25h", clear_line = "\x1b[K", clear_below = "\x1b[J";
constexpr std::array<int, 3> ending_signals = {SIGINT, SIGTERM, SIGHUP};

volatile std::sig_atomic_t cursor_descriptor = -1;   // where a handler shows the cursor again

void write_all(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const auto n = write(descriptor, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;   // the terminal has gone: there is nobody left to tell
    text.remove_prefix(static_cast<std::size_t>(n));
  }
}

extern "C" void restore_and_end(int signal) {   // only async-signal-safe calls
  if (cursor_descriptor >= 0) (void)!write(cursor_descriptor, show_cursor.data(), show_cursor.size());
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

void catch_ending_signals(bool on) {
  for (const int signal : ending_signals) {
    struct sigaction now {};
    sigaction(signal, nullptr, &now);
    const bool ours = now.sa_handler == restore_and_end;
    if (on && now.sa_handler == SIG_DFL) std::signal(signal, restore_and_end);
    if (!on && ours) std::signal(signal, SIG_DFL);
  }
}

}  // namespace

LiveView::LiveView(int descriptor) : descriptor_(descriptor), terminal_(isatty(descriptor)) {
  if (!terminal_) return;
  cursor_descriptor = descriptor;
  catch_ending_signals(true);
  write_all(descriptor_, hide_cursor);
}

LiveView::~LiveView() {
  if (!terminal_) return;
  write_all(descriptor_, show_cursor);
  catch_ending_signals(false);
  cursor_descriptor = -1;
}

void LiveView::draw(std::string_view text) {
  std::string shown(text);
  if (!shown.empty() && shown.back() != '\n') shown += '\n';
  if (!terminal_) {
    if (shown != last_) write_all(descriptor_, shown);
    last_ = std::move(shown);
    return;
  }
  const auto width = terminal_width(descriptor_), height = terminal_height(descriptor_) - 1;
  std::string out = lines_ ? "\x1b[" + std::to_string(lines_) + "A\r" : "\r";
  std::istringstream lines(shown);
  lines_ = 0;
  for (std::string line; lines_ < height && std::getline(lines, line); ++lines_) out += cut_to_width(line, width) + std::string(clear_line) + "\n";
  write_all(descriptor_, out + std::string(clear_below));   // one write: no half-drawn screen
}

ProgressBar::ProgressBar(std::string title, std::uint64_t total, int descriptor)
    : title_(std::move(title)), total_(total), descriptor_(descriptor), terminal_(isatty(descriptor)) {}

ProgressBar::~ProgressBar() {
  if (drawn_) write_all(descriptor_, "\r" + std::string(clear_line));
}

void ProgressBar::update(std::uint64_t done, double now_seconds) {
  static constexpr double pause = 0.1;
  if (!terminal_) return;
  if (started_ < 0) started_ = now_seconds;
  if (last_ >= 0 && now_seconds - last_ < pause) return;
  last_ = now_seconds;
  drawn_ = true;
  write_all(descriptor_, "\r" + line(title_, done, total_, now_seconds - started_, terminal_width(descriptor_) - 1) + std::string(clear_line));
}

std::string ProgressBar::line(const std::string& title, std::uint64_t done, std::uint64_t total, double elapsed, std::size_t width) {
  if (total == 0) return cut_to_width(title + "  " + format_size(done), width);
  const double share = std::min(1.0, static_cast<double>(done) / static_cast<double>(total));
  std::string tail = "  " + std::to_string(static_cast<int>(share * 100)) + " %  " + format_size(done) + " of " + format_size(total);
  if (share > 0.01 && elapsed > 1) tail += "  " + format_duration(std::chrono::seconds(static_cast<long long>(elapsed / share - elapsed))) + " left";
  const auto text = display_width(title) + 2 + display_width(tail);
  if (text + 10 > width) return cut_to_width(title + tail, width);
  const auto columns = std::min<std::size_t>(width - text, 40);
  const auto filled = bar(share, columns);
  return title + "  " + filled + std::string(columns - display_width(filled), ' ') + tail;
}

}  // namespace nlb::cli
