// Which version a client gets: the same on every forwarder and after every restart, without a table.
//
//   bucket = siphash(salt and service, client address) mod 10,000;   candidate iff bucket < its weight
// so a rising weight moves clients only from stable to the candidate, and a falling one only back. The salt is new per rollout (not
// always the same users go first) and constant within it. The measured share is off by about sqrt(w(1-w)/clients).
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "libnlb/core/address.hpp"
#include "libnlb/core/hash.hpp"

namespace nlb::rollout {

inline constexpr std::uint32_t bucket_count = 10000;

// The part of an address that is one client: whole addresses, or networks where many clients sit behind one (24 and 56).
struct ClientMask { std::uint8_t v4_bits = 32, v6_bits = 128; };
IpAddress masked(const IpAddress& address, ClientMask mask);

class Sticky {   // immutable: any thread
 public:
  Sticky(const SipKey& salt, std::string_view service, ClientMask mask = {});

  // About 20 ns. `port` only for a split per connection; 0 keeps a client together.
  std::uint64_t client_key(const IpAddress& client, std::uint16_t port = 0) const;   // also for distinct.hpp
  std::uint32_t bucket(const IpAddress& client, std::uint16_t port = 0) const {
    return static_cast<std::uint32_t>(client_key(client, port) % bucket_count);
  }

 private:
  SipKey key_{};
  ClientMask mask_;
};

// Versions by bucket. weights[0] is stable, and gets what the others leave. The second version grows from bucket 0 upwards, the third
// from bucket 9,999 downwards, so both take clients from stable alone; more versions stack on those two in turn, and there a growing
// version may push the one above it. Weights that add up to more than 10,000 are cut from the last.
class VersionPicker {   // immutable: any thread
 public:
  explicit VersionPicker(std::span<const std::uint32_t> weights);
  std::size_t pick(std::uint32_t bucket) const;   // index into weights

 private:
  struct Range { std::uint32_t from, to; std::size_t version; };
  std::vector<Range> ranges_;   // of all versions but stable
};

}  // namespace nlb::rollout
