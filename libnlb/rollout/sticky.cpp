#include "libnlb/rollout/sticky.hpp"

#include <algorithm>

namespace nlb::rollout {

IpAddress masked(const IpAddress& address, ClientMask mask) {
  const int bits = address.is_v4() ? 96 + std::min<int>(mask.v4_bits, 32) : std::min<int>(mask.v6_bits, 128);
  auto result = address;
  for (int i = 0; i < 16; ++i) {
    const int kept = std::clamp(bits - 8 * i, 0, 8);
    result.octets[static_cast<std::size_t>(i)] &= static_cast<std::uint8_t>(0xff00 >> kept);
  }
  return result;
}

// The service's name is folded into the key once, so that a connection hashes two or three words.
Sticky::Sticky(const SipKey& salt, std::string_view service, ClientMask mask) : mask_(mask) {
  const auto low = siphash(salt, as_bytes(service)), high = mix64(low ^ load_le64(salt, 8));
  for (std::size_t i = 0; i < 8; ++i) {
    key_[i] = static_cast<std::uint8_t>(low >> (8 * i));
    key_[8 + i] = static_cast<std::uint8_t>(high >> (8 * i));
  }
}

std::uint64_t Sticky::client_key(const IpAddress& client, std::uint16_t port) const {
  const bool whole = mask_.v4_bits >= 32 && mask_.v6_bits >= 128;
  const auto address = whole ? client : masked(client, mask_);
  if (port == 0) return siphash(key_, address.bytes());
  std::array<std::uint8_t, 18> both{};
  std::copy(address.octets.begin(), address.octets.end(), both.begin());
  both[16] = static_cast<std::uint8_t>(port >> 8);
  both[17] = static_cast<std::uint8_t>(port);
  return siphash(key_, both);
}

VersionPicker::VersionPicker(std::span<const std::uint32_t> weights) {
  std::uint32_t bottom = 0, top = bucket_count;
  for (std::size_t i = 1; i < weights.size(); ++i) {
    const auto weight = std::min(weights[i], top - bottom);
    if (i % 2 == 1) ranges_.push_back({bottom, bottom + weight, i});
    else ranges_.push_back({top - weight, top, i});
    if (i % 2 == 1) bottom += weight;
    else top -= weight;
  }
}

std::size_t VersionPicker::pick(std::uint32_t bucket) const {
  for (const auto& range : ranges_)
    if (bucket >= range.from && bucket < range.to) return range.version;
  return 0;
}

}  // namespace nlb::rollout
