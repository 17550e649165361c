// The PROXY protocol header, versions 1 and 2 (haproxy.org/download/2.9/doc/proxy-protocol.txt, sections 2.1 and 2.2): read where a listener
// trusts its peers, written where a module expects one. Strict, as the text asks: a receiver must not guess. Allocates nothing to read.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "libnlb/core/address.hpp"
#include "libnlb/core/bytes.hpp"

namespace nlb::inspect {

inline constexpr std::size_t proxy_v1_bytes_max = 107;     // section 2.1: with CRLF
inline constexpr std::size_t proxy_v2_bytes_max = 16 + 4096;   // the text allows 65535 behind the first 16; more than a page is abuse

enum class ProxyAnswer : std::uint8_t {
  match,      // `bytes` long; step over them
  more,       // `need_bytes` in all before the answer can change
  none,       // no PROXY header: the bytes belong to the client's protocol
  malformed,  // starts like one and breaks its rules: close the connection
};

enum class ProxyFamily : std::uint8_t { unspecified, inet, inet6, unix_socket };   // unspecified: UNKNOWN in v1

struct ProxyHeader {
  ProxyAnswer answer = ProxyAnswer::none;
  std::uint8_t version = 0;               // 1 or 2
  bool local = false;                     // v2 LOCAL: the proxy's own connection (health check); keep the real addresses
  bool stream = true;                     // false for v2 DGRAM
  ProxyFamily family = ProxyFamily::unspecified;
  IpAddress source{}, destination{};      // for inet and inet6
  std::uint16_t source_port = 0, destination_port = 0;
  std::string_view source_path, destination_path;   // for unix_socket; views into the bytes
  Bytes tlvs;                             // v2: type-length-value fields behind the addresses, well formed; a view into the bytes
  std::uint32_t bytes = 0;
  std::uint32_t need_bytes = 0;
  std::string_view reason;                // malformed: what is wrong
};

// Total over any bytes and monotone like detect(). Cost: the header's length.
ProxyHeader parse_proxy_header(Bytes bytes);

struct Tlv {
  std::uint8_t type;
  Bytes value;
};

enum : std::uint8_t { tlv_alpn = 0x01, tlv_authority = 0x02, tlv_crc32c = 0x03, tlv_noop = 0x04, tlv_unique_id = 0x05, tlv_ssl = 0x20, tlv_netns = 0x30 };

// Takes the next field off the front of `tlvs`. Precondition: `tlvs` comes from a match and isn't empty.
Tlv next_tlv(Bytes& tlvs);

struct ProxyAddresses {
  IpAddress source{}, destination{};
  std::uint16_t source_port = 0, destination_port = 0;
};

// A header in a buffer of its own, so that a session can send it in one writev with the client's first bytes.
struct EncodedProxyHeader {
  std::array<std::uint8_t, proxy_v1_bytes_max> buffer{};
  std::size_t size = 0;
  Bytes bytes() const { return Bytes(buffer).first(size); }
};

// IPv4 is written as IPv4 only when both ends are. v2 without TLVs is 28 or 52 bytes.
EncodedProxyHeader encode_proxy_v1(const ProxyAddresses& addresses);
EncodedProxyHeader encode_proxy_v2(const ProxyAddresses& addresses);
EncodedProxyHeader encode_proxy_v2_local();   // for the forwarder's own health checks

// v2 with TLVs, and the CRC-32C field over all of it when asked. Precondition: the values' lengths add up to less than 4000.
std::vector<std::uint8_t> encode_proxy_v2(const ProxyAddresses& addresses, std::span<const Tlv> tlvs, bool with_crc32c);

}  // namespace nlb::inspect
