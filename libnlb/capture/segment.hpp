// One TCP segment as found at the bottom of a packet's headers, and the key of the flow it belongs to.
#pragma once

#include <cstdint>
#include <cstring>

#include "libnlb/core/address.hpp"
#include "libnlb/core/bytes.hpp"

namespace nlb::capture {

struct TcpFlags {   // RFC 9293 section 3.1
  static constexpr std::uint8_t fin = 1, syn = 2, rst = 4, psh = 8, ack = 16;
};

struct Segment {
  IpAddress source{}, destination{};   // of the innermost IP header
  std::uint16_t source_port = 0, destination_port = 0;
  std::uint32_t sequence = 0, acknowledgement = 0;
  std::uint8_t flags = 0;
  std::uint32_t length = 0;   // payload bytes on the wire
  Bytes payload{};            // of these, the ones that were captured
  bool has(std::uint8_t flag) const { return (flags & flag) != 0; }
};

// Both directions of a connection have the same key: side 0 is the endpoint that sorts first.
struct FlowKey {
  IpAddress address[2]{};
  std::uint16_t port[2]{};

  bool operator==(const FlowKey& other) const { return std::memcmp(this, &other, sizeof *this) == 0; }

  // The key, and through `side` which of its two endpoints sent the segment.
  static FlowKey of(const Segment& segment, unsigned& side) {
    const int order = std::memcmp(segment.source.octets.data(), segment.destination.octets.data(), 16);
    side = order > 0 || (order == 0 && segment.source_port > segment.destination_port) ? 1 : 0;
    FlowKey key;
    key.address[side] = segment.source;
    key.address[side ^ 1u] = segment.destination;
    key.port[side] = segment.source_port;
    key.port[side ^ 1u] = segment.destination_port;
    return key;
  }

  // Multiply and fold (the core of wyhash, public domain), keyed so that a capture can't aim at one bucket.
  std::uint64_t hash(std::uint64_t seed) const {
    std::uint64_t word[4], ports = 0;
    std::memcpy(word, address, sizeof word);
    std::memcpy(&ports, port, sizeof port);
    return fold(fold(word[0] ^ seed, word[1] ^ 0xa0761d6478bd642f) ^ fold(word[2] ^ seed, word[3] ^ 0xe7037ed1a0b428db),
                ports ^ 0x8ebc6af09c88c6e3);
  }

 private:
  __extension__ typedef unsigned __int128 Wide;
  static std::uint64_t fold(std::uint64_t a, std::uint64_t b) {
    const auto product = static_cast<Wide>(a) * b;
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
  }
};
static_assert(sizeof(FlowKey) == 36, "compared with memcmp, so it has no padding");

}  // namespace nlb::capture
