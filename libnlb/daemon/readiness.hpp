// Tells whoever started us how far we are: systemd by datagrams to $NOTIFY_SOCKET (the protocol of sd_notify(3), without its library),
// scripts by `--ready-fd N` ("ready\n" once, then closed). A lost notification is no error: the daemon works the same.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libnlb/core/time.hpp"

namespace nlb::daemon {

class Readiness {
 public:
  struct Settings {
    std::string notify_socket;               // path, or @name for an abstract one; empty: nobody listens
    std::optional<Duration> watchdog;        // how often at the latest systemd wants to hear from us
    int ready_fd = -1;                       // owned; -1: none
  };
  // Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID and removes them, so that no child process speaks for us.
  static Settings from_environment(int ready_fd);

  explicit Readiness(Settings settings) : settings_(std::move(settings)) {}
  ~Readiness();
  Readiness(const Readiness&) = delete;
  Readiness& operator=(const Readiness&) = delete;

  void ready(std::string_view status);       // after the start and again after each reload
  void reloading(MonoTime now);              // MONOTONIC_USEC as Type=notify-reload wants it
  void stopping();
  void status(std::string_view text);        // one line for `systemctl status`
  void watchdog();
  void hand_over(int main_process);          // another process speaks for the service from now on; we say no more
  std::vector<std::string> environment() const;   // what a process that is to speak for us needs to know, as NAME=VALUE
  std::optional<Duration> watchdog_period() const;   // half of what systemd wants; none: no watchdog

 private:
  void notify(std::string_view state) const;
  Settings settings_;
};

}  // namespace nlb::daemon
