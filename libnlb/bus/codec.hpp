// The bus's message format: three frames, topic, header and payload. The header is 48 bytes, little endian:
//
//   at  0  3  magic "NLB"            at 24  8  owner id
//   at  3  1  version, 1             at 32  8  age of the content when it was sent, milliseconds
//   at  4  4  flags                  at 40  4  class back: how many sequence numbers ago this owner last wrote in the topic's class
//   at  8  8  epoch                  at 44  4  CRC-32C of the payload
//   at 16  8  sequence number
//
// `seq` counts per owner, so one number covers all its topics; `class back` lets a subscriber of only some classes see a hole as soon
// as the next message comes; the beat's heads cover a lost last message (the hole that ZeroMQ's Clustered Hashmap Protocol can't see).
// Skew: a newer version may lengthen the header and use other flags. What isn't known is ignored, unless must_understand is set: then
// the whole message is refused. Decoding is total: any bytes give a message or a reason.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "libnlb/core/bytes.hpp"
#include "libnlb/core/result.hpp"

namespace nlb::bus {

inline constexpr std::size_t header_bytes = 48;
inline constexpr std::uint8_t header_version = 1;
inline constexpr std::size_t topic_bytes_max = 512;
inline constexpr std::size_t payload_bytes_max = std::size_t{16} << 20;

enum Flag : std::uint32_t { must_understand = 1, tombstone = 2, beat = 4, sync = 8 };
inline constexpr std::uint32_t known_flags = must_understand | tombstone | beat | sync;

struct Header {
  std::uint8_t version = header_version;
  std::uint32_t flags = 0;
  std::uint64_t epoch = 0;
  std::uint64_t seq = 0;
  std::uint64_t owner = 0;
  std::uint64_t age_ms = 0;
  std::uint32_t class_back = 0;
  std::uint32_t payload_crc = 0;
  bool has(Flag flag) const { return (flags & flag) != 0; }
  bool operator==(const Header&) const = default;
};

using Payload = std::shared_ptr<const std::string>;   // encoded once, shared by every copy and queue; null: a tombstone

struct Message {
  std::string topic;
  Header header;
  Payload payload;
};

enum class DecodeError : std::uint8_t { bad_topic, short_header, bad_magic, long_header, not_understood, too_large, bad_crc };
inline constexpr std::array<std::string_view, 7> decode_error_names = {
    "bad_topic", "short_header", "bad_magic", "long_header", "not_understood", "too_large", "bad_crc"};
constexpr std::string_view to_string(DecodeError error) { return decode_error_names[static_cast<std::size_t>(error)]; }

std::array<std::uint8_t, header_bytes> encode(const Header& header);
tl::expected<Header, DecodeError> decode_header(Bytes frame);
tl::expected<Message, DecodeError> decode(Bytes topic, Bytes header, Bytes payload);   // all three frames, the CRC checked

Payload make_payload(std::string bytes);
std::uint32_t crc_of(const Payload& payload);

}  // namespace nlb::bus
