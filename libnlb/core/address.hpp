// IP addresses, endpoints and networks as plain values; parsing and printing. No sockets, no name resolution.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "libnlb/core/bytes.hpp"
#include "libnlb/core/result.hpp"

namespace nlb {

// One form for both families: IPv4 is held as ::ffff:a.b.c.d (RFC 4291 section 2.5.5.2), so equality and hashing are one memcmp.
struct IpAddress {
  std::array<std::uint8_t, 16> octets{};
  static IpAddress v4(std::uint32_t host_order);
  static IpAddress v4(Bytes four);
  static IpAddress v6(Bytes sixteen);
  bool is_v4() const;
  bool is_loopback() const;
  Bytes bytes() const { return octets; }
  std::uint32_t v4_host_order() const;   // precondition: is_v4()
  auto operator<=>(const IpAddress&) const = default;
};

// host:port, with host an IP literal, a name, or unix:/path. `ip` is valid when `kind` is ip.
struct Endpoint {
  enum class Kind : std::uint8_t { ip, name, unix_path };
  Kind kind = Kind::ip;
  std::uint16_t port = 0;
  IpAddress ip{};
  std::string host;   // the name, or the path of a unix socket; empty for kind ip
  auto operator<=>(const Endpoint&) const = default;
};

struct Network {   // CIDR; prefix_bits counts in the 128-bit form, so 10.0.0.0/8 is 104
  IpAddress base{};
  std::uint8_t prefix_bits = 128;
  bool contains(const IpAddress& address) const;
  auto operator<=>(const Network&) const = default;
};

Result<IpAddress> parse_ip(std::string_view text);        // "10.0.0.1", "::1"
Result<Endpoint> parse_endpoint(std::string_view text);   // "10.0.0.1:80", "[::1]:80", "name:80", ":80" (= [::]:80), "unix:/run/x.sock"
Result<Network> parse_network(std::string_view text);     // "10.0.0.0/8", "::1/128", "10.0.0.1"

std::string to_string(const IpAddress& address);          // RFC 5952 for IPv6
std::string to_string(const Endpoint& endpoint);          // IPv6 in brackets
std::string to_string(const Network& network);

}  // namespace nlb
