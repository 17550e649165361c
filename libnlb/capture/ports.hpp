// Registered ports of our protocols (IANA): a guess for flows whose content says nothing, and only where the user asked for guesses.
#pragma once

#include <cstdint>

#include "libnlb/core/protocol.hpp"

namespace nlb::capture {

constexpr Protocol protocol_of_port(std::uint16_t port) {
  switch (port) {
    case 80: case 8000: case 8008: case 8080: return Protocol::http;
    case 443: case 853: case 993: case 995: case 8443: return Protocol::tls;
    case 3306: return Protocol::mysql;
    case 5432: return Protocol::postgresql;
    case 27017: case 27018: case 27019: return Protocol::mongodb;
    case 6379: return Protocol::redis;
    case 1935: return Protocol::rtmp;
    default: return Protocol::unknown;
  }
}

}  // namespace nlb::capture
