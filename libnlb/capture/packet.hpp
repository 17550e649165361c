// What a capture file or an interface yields: one captured frame, as a view.
#pragma once

#include <cstdint>

#include "libnlb/core/bytes.hpp"

namespace nlb::capture {

// `bytes` may be shorter than the frame was (a short snap length); it is valid until the next packet is asked for.
struct Packet {
  Bytes bytes{};
  std::uint32_t original_length = 0;   // bytes on the wire
  std::uint32_t link_type = 0;         // a LINKTYPE_ value, tcpdump.org/linktypes.html
  std::int64_t time_ns = 0;            // since 1970, UTC
};

}  // namespace nlb::capture
