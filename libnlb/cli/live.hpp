// Screen regions that are drawn again in place: a live view on stdout and a progress bar on stderr. On anything but a terminal a view
// appends its text (only when it changed) and a bar prints nothing.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace nlb::cli {

// Owns the region below the cursor of one descriptor from the first draw until it is destroyed; one at a time in a process. While it
// draws on a terminal the cursor is hidden; it comes back on destruction and on SIGINT, SIGTERM and SIGHUP where these would end the
// process (a handler that was set before stays in charge and must end the program in order).
class LiveView {
 public:
  explicit LiveView(int descriptor = 1);
  ~LiveView();
  LiveView(const LiveView&) = delete;
  LiveView& operator=(const LiveView&) = delete;

  // Replaces what the last draw showed. Lines are cut to the terminal's width and the whole to its height, so nothing scrolls away.
  void draw(std::string_view text);
  bool in_place() const { return terminal_; }

 private:
  int descriptor_;
  bool terminal_;
  std::size_t lines_ = 0;    // drawn, above the cursor
  std::string last_;
};

// A bar with share, amount and time left. `update` costs nothing when less than a tenth of a second has passed: the caller says `now`.
class ProgressBar {
 public:
  // `total` 0: unknown, only the amount is shown. Amounts are bytes.
  ProgressBar(std::string title, std::uint64_t total, int descriptor = 2);
  ~ProgressBar();            // wipes the line
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;
  void update(std::uint64_t done, double now_seconds);   // now: seconds of any steady clock

  // The line itself, for any width; `elapsed` in seconds.
  static std::string line(const std::string& title, std::uint64_t done, std::uint64_t total, double elapsed, std::size_t width);

 private:
  std::string title_;
  std::uint64_t total_;
  int descriptor_;
  bool terminal_, drawn_ = false;
  double started_ = -1, last_ = -1;
};

}  // namespace nlb::cli
