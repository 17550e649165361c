#include "libnlb/daemon/readiness.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace nlb::daemon {
namespace {

std::string take_variable(const char* name) {
  const char* value = std::getenv(name);
  std::string copy = value ? value : "";
  unsetenv(name);
  return copy;
}

void write_and_close(int descriptor, std::string_view text) {
  [[maybe_unused]] const auto written = ::write(descriptor, text.data(), text.size());   // a reader that went away has its answer
  ::close(descriptor);
}

}  // namespace

Readiness::Settings Readiness::from_environment(int ready_fd) {
  Settings settings;
  settings.ready_fd = ready_fd;
  settings.notify_socket = take_variable("NOTIFY_SOCKET");
  const auto microseconds = take_variable("WATCHDOG_USEC");
  const auto process = take_variable("WATCHDOG_PID");
  const auto period = std::strtoll(microseconds.c_str(), nullptr, 10);
  if (period > 0 && (process.empty() || process == std::to_string(getpid()))) settings.watchdog = std::chrono::microseconds(period);
  return settings;
}

Readiness::~Readiness() {
  if (settings_.ready_fd >= 0) ::close(settings_.ready_fd);
}

void Readiness::ready(std::string_view text) {
  notify("READY=1\nSTATUS=" + std::string(text));
  if (settings_.ready_fd >= 0) write_and_close(std::exchange(settings_.ready_fd, -1), "ready\n");
}

void Readiness::reloading(MonoTime now) {
  const auto microseconds = std::chrono::duration_cast<std::chrono::microseconds>(now.time_since_epoch()).count();
  notify("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(microseconds) + "\nSTATUS=reloading");
}

void Readiness::stopping() { notify("STOPPING=1\nSTATUS=draining"); }
void Readiness::status(std::string_view text) { notify("STATUS=" + std::string(text)); }
void Readiness::watchdog() { notify("WATCHDOG=1"); }

void Readiness::hand_over(int main_process) {
  notify("MAINPID=" + std::to_string(main_process));
  settings_.notify_socket.clear();
}

std::vector<std::string> Readiness::environment() const {
  if (settings_.notify_socket.empty()) return {};
  std::vector<std::string> all = {"NOTIFY_SOCKET=" + settings_.notify_socket};
  if (settings_.watchdog) all.push_back("WATCHDOG_USEC=" + std::to_string(*settings_.watchdog / std::chrono::microseconds(1)));
  return all;
}

std::optional<Duration> Readiness::watchdog_period() const {
  if (!settings_.watchdog || settings_.notify_socket.empty()) return std::nullopt;
  return *settings_.watchdog / 2;
}

void Readiness::notify(std::string_view state) const {
  const auto& path = settings_.notify_socket;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() < 2 || path.size() >= sizeof address.sun_path) return;
  std::memcpy(address.sun_path, path.data(), path.size());
  if (path[0] == '@') address.sun_path[0] = '\0';
  const int descriptor = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return;
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
  ::sendto(descriptor, state.data(), state.size(), MSG_NOSIGNAL | MSG_DONTWAIT, reinterpret_cast<const sockaddr*>(&address), length);
  ::close(descriptor);
}

}  // namespace nlb::daemon
