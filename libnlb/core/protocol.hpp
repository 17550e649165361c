// The closed set of protocols, and their names in all output, configuration, metrics and wire messages.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace nlb {

enum class Protocol : std::uint8_t { http, tls, mysql, postgresql, mongodb, redis, rtmp, unknown };

inline constexpr std::size_t protocol_count = 8;
inline constexpr std::array<std::string_view, protocol_count> protocol_names = {
    "http", "tls", "mysql", "postgresql", "mongodb", "redis", "rtmp", "unknown"};

constexpr std::string_view to_string(Protocol protocol) {
  return protocol_names[static_cast<std::size_t>(protocol)];
}

constexpr std::optional<Protocol> parse_protocol(std::string_view name) {
  for (std::size_t i = 0; i < protocol_count; ++i)
    if (protocol_names[i] == name) return static_cast<Protocol>(i);
  return std::nullopt;
}

}  // namespace nlb
