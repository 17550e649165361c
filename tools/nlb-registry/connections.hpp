// What can be known of a server without speaking its protocol.
#pragma once

#include <cstddef>
#include <cstdint>

#include "libnlb/core/address.hpp"

namespace nlb::registrar {

// Whether something takes a connection there, which is closed at once. Blocks for at most 500 ms.
bool takes_connections(const Endpoint& server);

// TCP connections of this network namespace whose own port is `port` and whose own side is still open (proc(5), /proc/net/tcp and tcp6).
// 0 as well when the server is elsewhere, or the files can't be read.
std::size_t open_connections(std::uint16_t port);

}  // namespace nlb::registrar
