// What limits how many sessions this machine can hold. Numbers from the kernel; the advice is a command each.
#include <sys/resource.h>

#include <algorithm>
#include <fstream>

#include "libnlb/relay/observe.hpp"

namespace nlb::relay {
namespace {

std::uint64_t kernel_number(const std::string& name, std::uint64_t otherwise) {
  std::ifstream file("/proc/sys/" + name);
  std::uint64_t value = 0;
  return file >> value ? value : otherwise;
}

std::string line(bool good, const std::string& what, const std::string& advice) {
  return (good ? "ok    " : "low   ") + what + (good || advice.empty() ? "" : ": " + advice) + "\n";
}

}  // namespace

std::string system_advice(const config::Config& config) {
  std::uint64_t wanted = 0;
  for (const auto& listener : config.listen) wanted += listener.sessions_max;
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  const std::uint64_t can_hold = limit.rlim_max > 256 ? (limit.rlim_max - 256) / 2 : 0;
  std::string text = line(can_hold >= wanted, "descriptors: " + std::to_string(limit.rlim_max) + " a process, for " + std::to_string(can_hold) +
                          " sessions; sessions_max is " + std::to_string(wanted),
                          "raise LimitNOFILE= of the service (or ulimit -Hn) to " + std::to_string(2 * wanted + 256) +
                          ", lower sessions_max, or start with --processes " + std::to_string((wanted * 5 / 2 + limit.rlim_max - 1) / limit.rlim_max) +
                          " (which leaves room for uneven shares)");
  const auto descriptors_all = kernel_number("fs/file-max", 1 << 20);
  text += line(descriptors_all >= 2 * wanted, "descriptors of the whole machine: fs.file-max is " + std::to_string(descriptors_all),
               "sysctl -w fs.file-max=" + std::to_string(4 * wanted));
  const auto somaxconn = kernel_number("net/core/somaxconn", 4096);
  std::uint64_t backlog = 0;
  for (const auto& listener : config.listen) backlog = std::max<std::uint64_t>(backlog, listener.backlog);
  text += line(somaxconn >= backlog, "accept queue: net.core.somaxconn is " + std::to_string(somaxconn) + ", backlog asks for " + std::to_string(backlog),
               "sysctl -w net.core.somaxconn=" + std::to_string(backlog));
  std::ifstream range("/proc/sys/net/ipv4/ip_local_port_range");
  std::uint64_t low = 32768, high = 60999;
  range >> low >> high;
  text += line(high - low >= 60000, "source ports: " + std::to_string(high - low + 1) + " for each module address",
               "sysctl -w net.ipv4.ip_local_port_range='1024 65535'");
  text += line(kernel_number("net/netfilter/nf_conntrack_count", 0) * 2 <= kernel_number("net/netfilter/nf_conntrack_max", 1),
               "connection tracking: " + std::to_string(kernel_number("net/netfilter/nf_conntrack_count", 0)) + " of " +
               std::to_string(kernel_number("net/netfilter/nf_conntrack_max", 0)) + " entries used",
               "sysctl -w net.netfilter.nf_conntrack_max=1048576, or don't track this port");
  const auto pipe_pages = kernel_number("fs/pipe-user-pages-soft", 16384);
  text += line(pipe_pages >= 16384, "splice: " + std::to_string(pipe_pages / 64) + " pipes of 256 KiB a user", "sysctl -w fs.pipe-user-pages-soft=16384");
  return text;
}

}  // namespace nlb::relay
