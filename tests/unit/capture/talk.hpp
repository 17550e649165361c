// Builds what the tests feed: segments of one conversation, IP packets and frames, without files.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "libnlb/capture/flow_table.hpp"
#include "libnlb/capture/packet.hpp"
#include "libnlb/capture/segment.hpp"

namespace nlb::capture::test {

using Octets = std::vector<std::uint8_t>;

inline Octets operator+(Octets a, const Octets& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}
inline Octets octets(std::string_view text) { return {text.begin(), text.end()}; }
inline Octets be16(std::uint32_t n) { return {static_cast<std::uint8_t>(n >> 8), static_cast<std::uint8_t>(n)}; }
inline Octets be32(std::uint32_t n) { return be16(n >> 16) + be16(n & 0xffff); }
inline Octets le32(std::uint32_t n) {
  const auto b = be32(n);
  return {b[3], b[2], b[1], b[0]};
}
inline Octets zeros(std::size_t n) { return Octets(n); }

// One end of a conversation: whose sequence number counts on by itself.
struct End {
  IpAddress ip;
  std::uint16_t port;
  std::uint32_t next;
};

struct Talk {
  End client{IpAddress::v4(0x0a000001), 50000, 1000};
  End server{IpAddress::v4(0x0a000002), 7777, 9000};

  Segment segment(bool from_client, std::uint32_t sequence, std::uint8_t flags, std::string_view payload = {}) const {
    const auto& from = from_client ? client : server;
    const auto& to = from_client ? server : client;
    return {from.ip, to.ip, from.port, to.port, sequence, to.next, flags, static_cast<std::uint32_t>(payload.size()), as_bytes(payload)};
  }
  Segment say(bool from_client, std::string_view payload, std::uint8_t flags = TcpFlags::psh | TcpFlags::ack) {
    auto& end = from_client ? client : server;
    const auto made = segment(from_client, end.next, flags, payload);
    end.next += static_cast<std::uint32_t>(payload.size()) + (made.has(TcpFlags::syn) ? 1 : 0) + (made.has(TcpFlags::fin) ? 1 : 0);
    return made;
  }
  std::vector<Segment> handshake() {
    return {say(true, {}, TcpFlags::syn), say(false, {}, TcpFlags::syn | TcpFlags::ack), say(true, {}, TcpFlags::ack)};
  }
};

// What on_end was told, without the parts that can't be copied.
struct Ended {
  Protocol protocol;
  bool start_seen, decided;
  unsigned client, spoke_first;
  std::uint16_t client_port;
  std::uint64_t packets[2], bytes[2];
  std::uint32_t decided_at_byte;
};

inline Ended ended(const Flow& f) {
  const auto c = f.client_side();
  return {f.protocol, f.start_seen, f.decided, c, f.spoke_first, f.key.port[c], {f.packets[c], f.packets[c ^ 1u]},
          {f.bytes[c], f.bytes[c ^ 1u]}, f.decided_at_byte};
}

inline std::vector<Ended> run(const std::vector<Segment>& segments, FlowOptions options = {}) {
  std::vector<Ended> all;
  FlowTable table(options, [&](const Flow& f) { all.push_back(ended(f)); });
  std::int64_t now = 1'700'000'000'000'000'000;
  for (const auto& segment : segments) table.add(segment, now += 1'000'000);
  table.finish();
  return all;
}

// Frames.
inline Octets tcp(std::string_view payload, std::uint16_t source = 50000, std::uint16_t destination = 7777) {
  return be16(source) + be16(destination) + be32(1) + be32(2) + Octets{0x50, 0x18} + zeros(6) + octets(payload);
}
inline Octets ipv4(const Octets& body, std::uint8_t protocol = 6, std::uint16_t fragment = 0x4000) {
  return Octets{0x45, 0} + be16(static_cast<std::uint32_t>(20 + body.size())) + be16(77) + be16(fragment) + Octets{64, protocol, 0, 0} +
         be32(0x0a000001) + be32(0x0a000002) + body;
}
inline Octets ipv6(const Octets& body, std::uint8_t next = 6) {
  return be32(0x60000000) + be16(static_cast<std::uint32_t>(body.size())) + Octets{next, 64} + zeros(15) + Octets{1} + zeros(15) + Octets{2} + body;
}
inline Octets udp(std::uint16_t port, const Octets& body) {
  return be16(40000) + be16(port) + be16(static_cast<std::uint32_t>(8 + body.size())) + be16(0) + body;
}
inline Octets ethernet(std::uint32_t type, const Octets& body) { return zeros(12) + be16(type) + body; }
inline Packet frame(const Octets& bytes, std::uint32_t link_type) {
  return {bytes, static_cast<std::uint32_t>(bytes.size()), link_type, 0};
}

}  // namespace nlb::capture::test
