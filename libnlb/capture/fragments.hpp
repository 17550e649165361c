// Puts IP fragments together (RFC 791 section 3.2, RFC 8200 section 4.5), bounded: datagrams_max at a time, 64 KiB each, the oldest
// gives way. Of overlapping fragments the first one counts.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "libnlb/capture/patchwork.hpp"
#include "libnlb/core/address.hpp"
#include "libnlb/core/bytes.hpp"

namespace nlb::capture {

struct FragmentKey {
  IpAddress source{}, destination{};
  std::uint32_t id = 0;
  std::uint8_t protocol = 0;
  bool operator==(const FragmentKey&) const = default;
};

class Fragments {   // one owner, not thread safe
 public:
  static constexpr std::size_t datagrams_max = 64, datagram_bytes_max = 65535;

  // The whole payload once the last hole is filled; valid until the next call.
  std::optional<Bytes> add(const FragmentKey& key, std::size_t offset, bool more, Bytes data);
  std::uint64_t given_up() const { return given_up_; }

 private:
  struct Datagram {
    FragmentKey key;
    Patchwork payload;
    std::size_t total = 0;   // known once the last fragment came
  };
  std::size_t find(const FragmentKey& key);

  std::vector<Datagram> datagrams_;   // oldest first
  Patchwork whole_;
  std::uint64_t given_up_ = 0;
};

}  // namespace nlb::capture
