#include "libnlb/core/address.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "libnlb/core/excerpt.hpp"

namespace nlb {
namespace {

constexpr std::array<std::uint8_t, 12> v4_mapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

tl::unexpected<Error> refuse(std::string_view text, std::string_view why) {
  return fail(ErrorKind::bad_input, "'" + excerpt(text) + "' " + std::string(why));
}

template <class Number>
std::optional<Number> whole_number(std::string_view text, Number most) {
  Number value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value > most) return std::nullopt;
  return value;
}

}  // namespace

IpAddress IpAddress::v4(std::uint32_t n) {
  const std::array<std::uint8_t, 4> four = {static_cast<std::uint8_t>(n >> 24), static_cast<std::uint8_t>(n >> 16),
                                            static_cast<std::uint8_t>(n >> 8), static_cast<std::uint8_t>(n)};
  return v4(four);
}
IpAddress IpAddress::v4(Bytes four) {
  IpAddress address;
  std::copy(v4_mapped.begin(), v4_mapped.end(), address.octets.begin());
  std::copy_n(four.begin(), 4, address.octets.begin() + 12);
  return address;
}
IpAddress IpAddress::v6(Bytes sixteen) {
  IpAddress address;
  std::copy_n(sixteen.begin(), 16, address.octets.begin());
  return address;
}
bool IpAddress::is_v4() const { return std::equal(v4_mapped.begin(), v4_mapped.end(), octets.begin()); }
bool IpAddress::is_loopback() const {
  static constexpr std::array<std::uint8_t, 16> v6_loopback = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  return is_v4() ? octets[12] == 127 : octets == v6_loopback;
}
std::uint32_t IpAddress::v4_host_order() const { return load_be32(octets, 12); }

bool Network::contains(const IpAddress& address) const {
  const std::size_t whole = prefix_bits / 8;
  if (!std::equal(base.octets.begin(), base.octets.begin() + static_cast<std::ptrdiff_t>(whole), address.octets.begin())) return false;
  const unsigned rest = prefix_bits % 8;
  return rest == 0 || ((base.octets[whole] ^ address.octets[whole]) >> (8 - rest)) == 0;
}

Result<IpAddress> parse_ip(std::string_view text) {
  const std::string zero_ended(text);
  std::array<std::uint8_t, 16> raw{};
  if (inet_pton(AF_INET, zero_ended.c_str(), raw.data()) == 1) return IpAddress::v4(raw);
  if (inet_pton(AF_INET6, zero_ended.c_str(), raw.data()) == 1) return IpAddress::v6(raw);
  return refuse(text, "is no IP address: write it like 10.0.0.1 or 2001:db8::1");
}

Result<Endpoint> parse_endpoint(std::string_view text) {
  Endpoint endpoint;
  if (text.starts_with("unix:")) {
    endpoint.kind = Endpoint::Kind::unix_path;
    endpoint.host = text.substr(5);
    if (endpoint.host.empty() || endpoint.host.size() > 107)
      return refuse(text, "is no unix socket: the path must have 1 to 107 characters");
    return endpoint;
  }
  const auto colon = text.rfind(':');
  const auto port = colon == std::string_view::npos ? std::nullopt : whole_number<std::uint16_t>(text.substr(colon + 1), 65535);
  if (!port) return refuse(text, "is no address: write it like 10.0.0.1:8080, [::1]:8080, name:8080 or unix:/path");
  endpoint.port = *port;
  auto host = text.substr(0, colon);
  if (host.empty() || host == "*") return endpoint;   // all zeros: every address of this machine
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  if (!bracketed && host.find(':') != std::string_view::npos)
    return refuse(text, "is ambiguous: put the IPv6 address in brackets, like [::1]:8080");
  if (auto ip = parse_ip(host)) {
    endpoint.ip = *ip;
    return endpoint;
  }
  const auto legal = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '.' || c == '_'; };
  if (bracketed || host.size() > 253 || !std::all_of(host.begin(), host.end(), legal))
    return refuse(text, "has no legal host name or IP address before the port");
  endpoint.kind = Endpoint::Kind::name;
  endpoint.host = host;
  return endpoint;
}

Result<Network> parse_network(std::string_view text) {
  const auto slash = text.find('/');
  auto ip = parse_ip(text.substr(0, slash));
  if (!ip) return refuse(text, "is no network: write it like 10.0.0.0/8 or 2001:db8::/32");
  const unsigned width = ip->is_v4() ? 32 : 128;
  unsigned bits = width;
  if (slash != std::string_view::npos) {
    const auto given = whole_number<unsigned>(text.substr(slash + 1), width);
    if (!given) return refuse(text, "has no prefix length from 0 to " + std::to_string(width) + " behind the slash");
    bits = *given;
  }
  return Network{*ip, static_cast<std::uint8_t>(bits + 128 - width)};
}

std::string to_string(const IpAddress& address) {
  char text[INET6_ADDRSTRLEN];
  if (address.is_v4()) return inet_ntop(AF_INET, address.octets.data() + 12, text, sizeof text);
  return inet_ntop(AF_INET6, address.octets.data(), text, sizeof text);
}

std::string to_string(const Endpoint& endpoint) {
  switch (endpoint.kind) {
    case Endpoint::Kind::unix_path: return "unix:" + endpoint.host;
    case Endpoint::Kind::name: return endpoint.host + ":" + std::to_string(endpoint.port);
    case Endpoint::Kind::ip: break;
  }
  const auto host = to_string(endpoint.ip);
  return (endpoint.ip.is_v4() ? host : "[" + host + "]") + ":" + std::to_string(endpoint.port);
}

std::string to_string(const Network& network) {
  const bool v4 = network.base.is_v4() && network.prefix_bits >= 96;
  return to_string(network.base) + "/" + std::to_string(v4 ? network.prefix_bits - 96 : network.prefix_bits);
}

}  // namespace nlb
