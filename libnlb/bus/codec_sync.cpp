#include "libnlb/bus/codec_sync.hpp"

#include "libnlb/core/hash.hpp"

namespace nlb::bus {

std::uint32_t sync_hash(const Update& update, std::uint32_t seed) {
  std::array<std::uint8_t, 10> fixed{};
  for (std::size_t i = 0; i < 8; ++i) fixed[1 + i] = static_cast<std::uint8_t>(update.seq >> (8 * i));
  fixed[9] = update.gone();
  const auto hash = crc32c(fixed, crc32c(as_bytes(update.topic), seed));
  return update.gone() ? hash : crc32c(as_bytes(*update.payload), hash);
}

}  // namespace nlb::bus
