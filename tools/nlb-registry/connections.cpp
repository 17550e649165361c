#include "tools/nlb-registry/connections.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <cstdio>
#include <fstream>
#include <string>

namespace nlb::registrar {

namespace {

namespace asio = boost::asio;

constexpr unsigned established = 1, close_wait = 8;      // TCP_ESTABLISHED and TCP_CLOSE_WAIT of the kernel's tcp_states.h

// "  sl  local_address rem_address   st ...", the addresses as hexadecimal ADDRESS:PORT.
std::size_t count(const char* path, std::uint16_t port) {
  std::ifstream lines(path);
  std::size_t found = 0;
  for (std::string line; std::getline(lines, line);) {
    unsigned own_port = 0, state = 0;
    if (std::sscanf(line.c_str(), " %*d: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x", &own_port, &state) != 2) continue;
    found += own_port == port && (state == established || state == close_wait);
  }
  return found;
}

template <class Stream, class... Where>
bool connects(Where&&... where) {
  Stream stream;
  stream.expires_after(std::chrono::milliseconds(500));
  stream.connect(std::forward<Where>(where)...);
  return static_cast<bool>(stream);
}

}  // namespace

bool takes_connections(const Endpoint& server) {
  if (server.kind == Endpoint::Kind::unix_path)
    return connects<asio::local::stream_protocol::iostream>(asio::local::stream_protocol::endpoint(server.host));
  const auto host = server.kind == Endpoint::Kind::ip ? to_string(server.ip) : server.host;
  return connects<asio::ip::tcp::iostream>(host, std::to_string(server.port));
}

std::size_t open_connections(std::uint16_t port) { return count("/proc/net/tcp", port) + count("/proc/net/tcp6", port); }

}  // namespace nlb::registrar
