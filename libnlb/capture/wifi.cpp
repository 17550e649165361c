// 802.11 data frames and LLC. Source: IEEE 802.11-2020 section 9.2 (frame format), 802.2 and RFC 1042 (SNAP).
#include <utility>

#include "libnlb/capture/layers.hpp"

namespace nlb::capture {

bool step_wifi(Cursor& at) {
  if (!at.has(24)) return at.step(0, Layer::done);   // an acknowledgement or another control frame
  auto control = at.rest[0], flags = at.rest[1];
  const bool swapped = (control & 3) != 0 && (flags & 3) == 0;   // Cisco's CAPWAP: a version other than 0 tells
  if (swapped) std::swap(control, flags);
  const bool data = (control & 0x0c) == 0x08, no_payload = (control & 0x40) != 0, quality = (control & 0x80) != 0;
  const bool is_protected = (flags & 0x40) != 0, fragment = (flags & 0x04) != 0 || (at.rest[swapped ? 23 : 22] & 0x0f) != 0;
  if (!data || no_payload || is_protected || fragment) return at.step(0, Layer::done);
  std::size_t header = 24;
  if ((flags & 0x03) == 0x03) header += 6;                  // to and from the distribution system: a fourth address
  if (quality && at.has(header + 2) && (at.rest[header] & 0x80)) return at.step(0, Layer::done);   // A-MSDU
  if (quality) header += (flags & 0x80) ? 6 : 2;            // QoS control, and HT control when the order bit is set
  return at.step(header, Layer::llc);
}

bool step_llc(Cursor& at) {
  if (!at.has(3)) return false;
  if (at.rest[0] == 0xaa && at.rest[1] == 0xaa && at.rest[2] == 0x03)
    return at.has(8) && at.step(8, Layer::ether_type, load_be16(at.rest, 6));
  if (at.rest[0] == 0x06 && at.rest[1] == 0x06) return at.step(3, Layer::ipv4);
  return at.step(3, Layer::done);
}

}  // namespace nlb::capture
