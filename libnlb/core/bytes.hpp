// Views of raw bytes, integer loads that say their byte order, and hex.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace nlb {

using Bytes = std::span<const std::uint8_t>;

inline Bytes as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
inline std::string_view as_text(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Precondition of all loads: `at + width <= bytes.size()`.
constexpr std::uint16_t load_be16(Bytes b, std::size_t at) {
  return static_cast<std::uint16_t>(b[at] << 8 | b[at + 1]);
}
constexpr std::uint32_t load_be24(Bytes b, std::size_t at) {
  return std::uint32_t{b[at]} << 16 | std::uint32_t{b[at + 1]} << 8 | b[at + 2];
}
constexpr std::uint32_t load_be32(Bytes b, std::size_t at) {
  return std::uint32_t{b[at]} << 24 | load_be24(b, at + 1);
}
constexpr std::uint32_t load_le24(Bytes b, std::size_t at) {
  return std::uint32_t{b[at + 2]} << 16 | std::uint32_t{b[at + 1]} << 8 | b[at];
}
constexpr std::uint32_t load_le32(Bytes b, std::size_t at) {
  return std::uint32_t{b[at + 3]} << 24 | load_le24(b, at);
}
constexpr std::uint64_t load_le64(Bytes b, std::size_t at) {
  return std::uint64_t{load_le32(b, at + 4)} << 32 | load_le32(b, at);
}

std::string to_hex(Bytes bytes);

// Two digits a byte, either case; spaces, colons and a leading 0x are stepped over. nullopt for anything else.
std::optional<std::vector<std::uint8_t>> from_hex(std::string_view text);

}  // namespace nlb
