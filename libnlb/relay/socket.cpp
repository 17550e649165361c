#include "libnlb/relay/socket.hpp"

#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <fstream>
#include <string>
#include <thread>

#include "libnlb/daemon/descriptor.hpp"

namespace nlb::relay {
namespace {

void set_flag(int descriptor, int level, int option, int value = 1) {
  setsockopt(descriptor, level, option, &value, sizeof value);
}

bool set_congestion_to(int descriptor, const std::string& name) {
  return setsockopt(descriptor, IPPROTO_TCP, TCP_CONGESTION, name.data(), static_cast<socklen_t>(name.size())) == 0;
}

// Does the system's congestion control pace each socket with a timer, as BBR does (tcp(7), tcp_congestion_control)? Asked once.
bool system_paces() {
  static const bool paces = [] {
    std::string name;
    std::ifstream("/proc/sys/net/ipv4/tcp_congestion_control") >> name;
    return name.starts_with("bbr");
  }();
  return paces;
}

bool is_loopback(const SocketAddress& address) {
  const auto endpoint = to_endpoint(address);
  return endpoint.kind == Endpoint::Kind::ip && endpoint.ip.is_loopback();
}

std::string advice(int error, const Endpoint& endpoint) {
  switch (error) {
    case EADDRINUSE: return "another process listens there: stop it, or choose another address under listen";
    case EACCES: return endpoint.port < 1024 && endpoint.kind == Endpoint::Kind::ip
                            ? "ports below 1024 need root or CAP_NET_BIND_SERVICE: choose a port from 1024, or grant it"
                            : "no permission: run as a user that may write there";
    case EADDRNOTAVAIL: return "this machine has no such address: choose one of its own (ip addr)";
    default: return "check the address under listen";
  }
}

constexpr std::chrono::seconds leaving_patience{1};   // a process that ends holds its listeners for their last handshakes

tl::unexpected<Error> refuse_listen(const Endpoint& endpoint, int error) {
  return fail(ErrorKind::unavailable, "can't listen on " + to_string(endpoint) + ": " + std::strerror(error) + ": " + advice(error, endpoint));
}

// A unix socket file that nobody accepts on is left over from a process that died.
void remove_stale_socket(const SocketAddress& address, const std::string& path) {
  struct stat found{};
  if (lstat(path.c_str(), &found) != 0 || !S_ISSOCK(found.st_mode)) return;
  const int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (probe < 0) return;
  const bool dead = connect(probe, reinterpret_cast<const sockaddr*>(&address.storage), address.length) != 0 && errno == ECONNREFUSED;
  close(probe);
  if (dead) unlink(path.c_str());
}

}  // namespace

SocketAddress to_socket_address(const Endpoint& endpoint) {
  SocketAddress address;
  if (endpoint.kind == Endpoint::Kind::unix_path) {
    auto& un = reinterpret_cast<sockaddr_un&>(address.storage);
    un.sun_family = AF_UNIX;
    std::memcpy(un.sun_path, endpoint.host.c_str(), endpoint.host.size() + 1);
    address.length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + endpoint.host.size() + 1);
  } else if (endpoint.ip.is_v4()) {
    auto& in = reinterpret_cast<sockaddr_in&>(address.storage);
    in.sin_family = AF_INET;
    in.sin_port = htons(endpoint.port);
    std::memcpy(&in.sin_addr, endpoint.ip.octets.data() + 12, 4);
    address.length = sizeof in;
  } else {
    auto& in6 = reinterpret_cast<sockaddr_in6&>(address.storage);
    in6.sin6_family = AF_INET6;
    in6.sin6_port = htons(endpoint.port);
    std::memcpy(&in6.sin6_addr, endpoint.ip.octets.data(), 16);
    address.length = sizeof in6;
  }
  return address;
}

void split_peer(const SocketAddress& peer, IpAddress& ip, std::uint16_t& port) {
  port = 0;
  ip = {};
  if (peer.family() == AF_INET) {
    const auto& in = reinterpret_cast<const sockaddr_in&>(peer.storage);
    ip = IpAddress::v4(Bytes{reinterpret_cast<const std::uint8_t*>(&in.sin_addr), 4});
    port = ntohs(in.sin_port);
  } else if (peer.family() == AF_INET6) {
    const auto& in6 = reinterpret_cast<const sockaddr_in6&>(peer.storage);
    ip = IpAddress::v6(Bytes{reinterpret_cast<const std::uint8_t*>(&in6.sin6_addr), 16});
    port = ntohs(in6.sin6_port);
  }
}

Endpoint to_endpoint(const SocketAddress& address) {
  Endpoint endpoint;
  if (address.family() == AF_UNIX) {
    endpoint.kind = Endpoint::Kind::unix_path;
    endpoint.host = reinterpret_cast<const sockaddr_un&>(address.storage).sun_path;
  } else {
    split_peer(address, endpoint.ip, endpoint.port);
  }
  return endpoint;
}

Result<> check_unused(const Endpoint& endpoint) {
  if (endpoint.kind == Endpoint::Kind::unix_path || endpoint.port == 0) return {};
  const auto address = to_socket_address(endpoint);
  for (const auto end = std::chrono::steady_clock::now() + leaving_patience;;) {
    const daemon::Descriptor probe(socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!probe) return {};   // opening the real one says why
    set_flag(probe.get(), SOL_SOCKET, SO_REUSEADDR);
    if (address.family() == AF_INET6) set_flag(probe.get(), IPPROTO_IPV6, IPV6_V6ONLY, 0);
    if (bind(probe.get(), reinterpret_cast<const sockaddr*>(&address.storage), address.length) == 0 || errno != EADDRINUSE) return {};
    if (std::chrono::steady_clock::now() >= end) return refuse_listen(endpoint, EADDRINUSE);
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

Result<int> open_listener(const Endpoint& endpoint, int backlog) {
  const auto address = to_socket_address(endpoint);
  const bool unix_socket = endpoint.kind == Endpoint::Kind::unix_path;
  if (unix_socket) remove_stale_socket(address, endpoint.host);
  const int listener = socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (listener < 0) return refuse_listen(endpoint, errno);
  if (!unix_socket) {
    set_flag(listener, SOL_SOCKET, SO_REUSEADDR);
    set_flag(listener, SOL_SOCKET, SO_REUSEPORT);
    set_flag(listener, IPPROTO_TCP, TCP_NODELAY);
    if (address.family() == AF_INET6) set_flag(listener, IPPROTO_IPV6, IPV6_V6ONLY, 0);
  }
  if (bind(listener, reinterpret_cast<const sockaddr*>(&address.storage), address.length) != 0 || listen(listener, backlog) != 0) {
    const int error = errno;
    close(listener);
    return refuse_listen(endpoint, error);
  }
  return listener;
}

Result<Endpoint> local_endpoint(int descriptor) {
  SocketAddress address;
  address.length = sizeof address.storage;
  if (getsockname(descriptor, reinterpret_cast<sockaddr*>(&address.storage), &address.length) != 0)
    return fail(ErrorKind::internal, std::string("getsockname failed: ") + std::strerror(errno));
  return to_endpoint(address);
}

void stop_handshakes(int listener) {
  // The filter of a TCP socket sees the segment from its header on: byte 13 holds the flags, 0x02 is SYN (RFC 9293 section 3.1).
  sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 13),
      BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x02, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, 0),
      BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
  };
  const sock_fprog filter{4, program};
  setsockopt(listener, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter);
}

void set_congestion(int descriptor, const SocketAddress& address, const std::string& name) {
  if (address.family() == AF_UNIX) return;
  if (!name.empty()) {
    set_congestion_to(descriptor, name);
  } else if (system_paces() && is_loopback(address)) {
    if (!set_congestion_to(descriptor, "cubic")) set_congestion_to(descriptor, "reno");   // an unprivileged process may not have cubic
  }
}

void set_listener_congestion(int listener, const std::string& name) {
  SocketAddress address;
  address.length = sizeof address.storage;
  if (getsockname(listener, reinterpret_cast<sockaddr*>(&address.storage), &address.length) == 0) set_congestion(listener, address, name);
}

int start_connect(const SocketAddress& to, bool delay_ack, const std::string& congestion) {
  const int descriptor = socket(to.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return -errno;
  if (to.family() != AF_UNIX) {
    if (delay_ack) set_flag(descriptor, IPPROTO_TCP, TCP_DEFER_ACCEPT);
    set_congestion(descriptor, to, congestion);
  }
  if (connect(descriptor, reinterpret_cast<const sockaddr*>(&to.storage), to.length) == 0 || errno == EINPROGRESS) return descriptor;
  const int error = errno;
  close(descriptor);
  return -error;
}

int pending_error(int descriptor) {
  int error = 0;
  socklen_t length = sizeof error;
  return getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &length) == 0 ? error : errno;
}

void set_no_delay(int descriptor) { set_flag(descriptor, IPPROTO_TCP, TCP_NODELAY); }

void set_receive_low_water(int descriptor, int bytes) { set_flag(descriptor, SOL_SOCKET, SO_RCVLOWAT, bytes); }

void close_with_reset(int descriptor) {
  const linger abort{1, 0};
  setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
  close(descriptor);
}

}  // namespace nlb::relay
