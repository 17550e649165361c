// From a captured frame down to the TCP segment in it, through link layers, tags, tunnels and IP in any nesting.
//
// The frame is walked as a chain of layers: each step looks at one header, moves the cursor behind it and names the next layer, until
// TCP or something else is met. Every step consumes bytes and the chain is bounded (layers_max), so any input ends. Frames may be cut
// short by the snap length: headers must be whole, the payload is what is there.
//
// Not decoded: encrypted layers (IPsec ESP, MACsec, 802.11 with the protected bit), A-MSDUs, compressed headers.
#pragma once

#include <cstdint>

#include "libnlb/capture/fragments.hpp"
#include "libnlb/capture/packet.hpp"
#include "libnlb/capture/segment.hpp"

namespace nlb::capture {

inline constexpr int layers_max = 32;

enum class Found : std::uint8_t {
  segment,    // `out` is filled; its views live as long as the packet, or until the next call if it came from fragments
  fragment,   // kept until the rest of its datagram arrives
  other,      // something that carries no TCP
  damaged,    // a header that is cut short or impossible
};

class Decoder {   // one owner, not thread safe
 public:
  Found decode(const Packet& packet, Segment& out);
  const Fragments& fragments() const { return fragments_; }

 private:
  Fragments fragments_;
};

bool knows_link_type(std::uint32_t link_type);

}  // namespace nlb::capture
