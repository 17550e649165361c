// Which of 10,000 buckets a client falls into for one service: the basis of sticky traffic splits.
//
// bucket = SipHash-2-4(salt, the 16 octets of the address, then the service's name) mod 10000. No table: every forwarder gives the same
// answer, before and after a restart. A new salt per rollout means that it is not always the same clients who try new versions first.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "libnlb/core/address.hpp"
#include "libnlb/core/hash.hpp"
#include "libnlb/core/time.hpp"

namespace nlb {

inline constexpr std::uint32_t sticky_buckets = 10000;
inline constexpr std::size_t sticky_name_bytes_max = 240;   // bytes of the service's name that are looked at

inline constexpr std::int64_t halves_seconds = 1800;

// Which half of all clients this one is in, for a judge that compares like with like: the same on every worker, independent of the buckets,
// and other halves every half hour, so that one odd client isn't always in the same.
inline bool in_first_half(const IpAddress& client, MonoTime now) {
  std::uint64_t words[2];
  std::memcpy(words, client.octets.data(), sizeof words);
  const auto period = static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count() / halves_seconds);
  return (mix64(words[1] ^ mix64(words[0] ^ mix64(period + 1))) & 1) == 0;
}

inline std::uint32_t sticky_bucket(const SipKey& salt, const IpAddress& client, std::string_view service) {
  std::array<std::uint8_t, 16 + sticky_name_bytes_max> message;
  service = service.substr(0, sticky_name_bytes_max);
  std::copy(client.octets.begin(), client.octets.end(), message.begin());
  std::copy(service.begin(), service.end(), message.begin() + 16);
  return static_cast<std::uint32_t>(siphash(salt, Bytes(message.data(), 16 + service.size())) % sticky_buckets);
}

}  // namespace nlb
