// Thin, honest wrappers over the socket calls of the relay: numbers in, numbers out, no ownership. The caller closes what it opens.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>

#include "libnlb/core/address.hpp"
#include "libnlb/core/result.hpp"

namespace nlb::relay {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;
  int family() const { return storage.ss_family; }
};

// Precondition: endpoint.kind is ip or unix_path.
SocketAddress to_socket_address(const Endpoint& endpoint);
Endpoint to_endpoint(const SocketAddress& address);
void split_peer(const SocketAddress& peer, IpAddress& ip, std::uint16_t& port);   // unix peers become ::/0

// Whether this TCP address is nobody's yet. Listeners share ports (SO_REUSEPORT), so a second program on ours would not fail but take half of
// the connections. Waits up to a second for one that is just ending. Errors: unavailable, with the address. Unix sockets, port 0: always free.
Result<> check_unused(const Endpoint& endpoint);

// A non-blocking listening socket. TCP: SO_REUSEPORT (one queue per worker), SO_REUSEADDR, TCP_NODELAY (accepted sockets inherit it);
// an IPv6 wildcard takes IPv4 as well. Unix: an existing socket file that nobody answers on is replaced.
// Errors: unavailable, with the reason and what to do.
Result<int> open_listener(const Endpoint& endpoint, int backlog);
Result<Endpoint> local_endpoint(int descriptor);

// Lets no new connection begin but those whose handshake is under way end well: SYN packets are dropped by a socket filter, so a
// client tries again a second later and meets whoever listens then. Used before a listener is closed.
void stop_handshakes(int listener);

// Starts a non-blocking connect. `delay_ack`: hold back the handshake's last acknowledgement so that it rides on the first data
// (TCP_DEFER_ACCEPT on the connecting side); only when data follows at once. Returns the descriptor, or -errno.
int start_connect(const SocketAddress& to, bool delay_ack, const std::string& congestion = {});

// Congestion control by name. With an empty name the system's stays, but on loopback one that paces (BBR) gives way to one that doesn't:
// there is no bottleneck to find, and its timers cost up to half of a long stream's CPU (measured: 0.26 against 0.14 ns a byte).
// A listener's sessions inherit what it has. A name that the system doesn't offer changes nothing.
void set_congestion(int descriptor, const SocketAddress& address, const std::string& name);
void set_listener_congestion(int listener, const std::string& name);

int pending_error(int descriptor);       // SO_ERROR
void set_no_delay(int descriptor);
void set_receive_low_water(int descriptor, int bytes);   // fewer bytes make the socket not readable; its end and errors do
void close_with_reset(int descriptor);   // the peer sees RST, not an orderly end

}  // namespace nlb::relay
