#include "libnlb/orchestrator/proc.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>

#include <charconv>
#include <memory>
#include <sstream>

namespace nlb::orchestrator {
namespace {

// By read(2): a process that ends meanwhile makes it fail with ESRCH, which a stream would throw.
std::string whole_file(const std::string& path) {
  const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::string out;
  char part[4096];
  for (ssize_t got = 0; file && (got = read(file.get(), part, sizeof part)) > 0;) out.append(part, static_cast<std::size_t>(got));
  return out;
}

struct Facts { pid_t group = 0; std::uint64_t started = 0; };

// Fields 5 (pgrp) and 22 (starttime) of /proc/PID/stat; the name before them may hold spaces and brackets, so count from the last ')'.
std::optional<Facts> facts_of(const std::string& pid) {
  const auto text = whole_file("/proc/" + pid + "/stat");
  const auto name_end = text.rfind(')');
  if (name_end == std::string::npos) return std::nullopt;
  std::istringstream fields(text.substr(name_end + 1));
  std::string skipped;
  Facts facts;
  fields >> skipped >> skipped >> facts.group;
  for (int field = 6; field < 22; ++field) fields >> skipped;
  if (!(fields >> facts.started)) return std::nullopt;
  return facts;
}

bool has_instance(const std::string& pid, const std::string& instance) {
  const auto environment = '\0' + whole_file("/proc/" + pid + "/environ");
  return environment.find('\0' + ("NLB_INSTANCE=" + instance) + '\0') != std::string::npos;
}

}  // namespace

std::string boot_id() {
  auto id = whole_file("/proc/sys/kernel/random/boot_id");
  while (!id.empty() && id.back() == '\n') id.pop_back();
  return id;
}

std::optional<std::uint64_t> start_time(pid_t pid) {
  const auto facts = facts_of(std::to_string(pid));
  return facts ? std::optional(facts->started) : std::nullopt;
}

Descriptor open_process(pid_t pid, std::uint64_t started) {
  if (pid <= 0) return {};
  Descriptor process(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));   // close-on-exec by itself
  if (!process || start_time(pid) != started) return {};
  return process;
}

bool is_gone(const Descriptor& process) {
  pollfd one{process.get(), POLLIN, 0};
  return poll(&one, 1, 0) > 0;
}

void signal_members(pid_t group, const std::string& instance, int signal) {
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(opendir("/proc"), closedir);
  while (const auto* entry = folder ? readdir(folder.get()) : nullptr) {
    const std::string name = entry->d_name;
    pid_t pid = 0;
    if (std::from_chars(name.data(), name.data() + name.size(), pid).ec != std::errc{}) continue;
    const auto facts = facts_of(name);
    if (!facts || facts->group != group || !has_instance(name, instance)) continue;
    if (const auto process = open_process(pid, facts->started)) syscall(SYS_pidfd_send_signal, process.get(), signal, nullptr, 0);
  }
}

}  // namespace nlb::orchestrator
