// Keyed and unkeyed hashes of bytes.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "libnlb/core/bytes.hpp"

namespace nlb {

using SipKey = std::array<std::uint8_t, 16>;

// SipHash-2-4 (Aumasson and Bernstein, 2012): for anything a client can choose. The same on every machine.
std::uint64_t siphash(const SipKey& key, Bytes bytes);

// CRC-32C (Castagnoli), as in RFC 3720 appendix B.4; `crc32c(as_bytes("123456789")) == 0xe3069283`.
std::uint32_t crc32c(Bytes bytes, std::uint32_t seed = 0);

// A cheap mixer for integers that no client chooses (splitmix64's finaliser).
constexpr std::uint64_t mix64(std::uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

// FNV-1a (64 bit) of a name from the configuration: a key for tables that no client can choose the entries of.
constexpr std::uint64_t name_hash(std::string_view name) {
  std::uint64_t h = 0xcbf29ce484222325;
  for (const char c : name) h = (h ^ static_cast<std::uint8_t>(c)) * 0x100000001b3;
  return h;
}

}  // namespace nlb
