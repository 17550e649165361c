#include "libnlb/orchestrator/port.hpp"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "libnlb/orchestrator/descriptor.hpp"

namespace nlb::orchestrator {
namespace {

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in out{};
  out.sin_family = AF_INET;
  out.sin_port = htons(port);
  out.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return out;
}

}  // namespace

Result<std::uint16_t> free_port(std::uint16_t wished) {
  const Descriptor one(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  auto address = loopback(wished);
  socklen_t length = sizeof address;
  const int on = 1;   // a port that only has connections in TIME-WAIT is free
  setsockopt(one.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(one.get(), reinterpret_cast<sockaddr*>(&address), length) == 0 &&
      getsockname(one.get(), reinterpret_cast<sockaddr*>(&address), &length) == 0)
    return ntohs(address.sin_port);
  if (wished != 0) return free_port(0);
  return fail(ErrorKind::unavailable, std::string("no free port on 127.0.0.1: ") + std::strerror(errno) + ": widen net.ipv4.ip_local_port_range");
}

bool accepts(std::uint16_t port) {
  const Descriptor one(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  auto address = loopback(port);
  if (connect(one.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) return true;
  if (errno != EINPROGRESS) return false;
  pollfd wait{one.get(), POLLOUT, 0};
  int error = 1;
  socklen_t length = sizeof error;
  if (poll(&wait, 1, 100) <= 0) return false;
  return getsockopt(one.get(), SOL_SOCKET, SO_ERROR, &error, &length) == 0 && error == 0;
}

}  // namespace nlb::orchestrator
