#include "libnlb/bus/codec.hpp"

#include "libnlb/bus/codec_topic.hpp"
#include "libnlb/core/hash.hpp"

namespace nlb::bus {

namespace {

constexpr std::array<std::uint8_t, 3> magic = {'N', 'L', 'B'};

template <class Array>
void store_le(Array& out, std::size_t at, std::uint64_t value, std::size_t width) {
  for (std::size_t i = 0; i < width; ++i) out[at + i] = static_cast<std::uint8_t>(value >> (8 * i));
}

}  // namespace

std::array<std::uint8_t, header_bytes> encode(const Header& h) {
  std::array<std::uint8_t, header_bytes> out{magic[0], magic[1], magic[2], h.version};
  store_le(out, 4, h.flags, 4);
  store_le(out, 8, h.epoch, 8);
  store_le(out, 16, h.seq, 8);
  store_le(out, 24, h.owner, 8);
  store_le(out, 32, h.age_ms, 8);
  store_le(out, 40, h.class_back, 4);
  store_le(out, 44, h.payload_crc, 4);
  return out;
}

tl::expected<Header, DecodeError> decode_header(Bytes frame) {
  if (frame.size() < header_bytes) return tl::unexpected(DecodeError::short_header);
  if (frame[0] != magic[0] || frame[1] != magic[1] || frame[2] != magic[2] || frame[3] == 0) return tl::unexpected(DecodeError::bad_magic);
  const Header h{frame[3], load_le32(frame, 4), load_le64(frame, 8), load_le64(frame, 16), load_le64(frame, 24), load_le64(frame, 32),
                 load_le32(frame, 40), load_le32(frame, 44)};
  const bool unknown = h.version > header_version || (h.flags & ~known_flags) != 0;
  if (unknown && h.has(must_understand)) return tl::unexpected(DecodeError::not_understood);
  if (h.version == header_version && frame.size() != header_bytes) return tl::unexpected(DecodeError::long_header);
  return h;
}

tl::expected<Message, DecodeError> decode(Bytes topic, Bytes header, Bytes payload) {
  if (!is_topic(as_text(topic))) return tl::unexpected(DecodeError::bad_topic);
  const auto h = decode_header(header);
  if (!h) return tl::unexpected(h.error());
  if (payload.size() > payload_bytes_max) return tl::unexpected(DecodeError::too_large);
  if (crc32c(payload) != h->payload_crc) return tl::unexpected(DecodeError::bad_crc);
  return Message{std::string(as_text(topic)), *h, h->has(tombstone) ? nullptr : make_payload(std::string(as_text(payload)))};
}

Payload make_payload(std::string bytes) { return std::make_shared<const std::string>(std::move(bytes)); }

std::uint32_t crc_of(const Payload& payload) { return payload ? crc32c(as_bytes(*payload)) : crc32c({}); }

}  // namespace nlb::bus
