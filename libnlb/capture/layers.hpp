// The layers between a captured frame and TCP, one step function each. Internal to the decoder; a step never reads past the cursor.
#pragma once

#include <cstdint>

#include "libnlb/capture/fragments.hpp"
#include "libnlb/capture/segment.hpp"

namespace nlb::capture {

enum class Layer : std::uint8_t { link, ether_type, ppp, ip_any, ipv4, ipv6, ip_protocol, mpls, wifi, llc, udp_tunnel, done };

// What is left of the frame, and what comes next in it.
struct Cursor {
  Bytes rest{};
  Layer next = Layer::done;
  std::uint32_t type = 0;   // link: LINKTYPE_; ether_type: EtherType; ppp, ip_protocol: their numbers; udp_tunnel: the port
  std::uint32_t missing = 0;   // bytes of this layer's payload that were on the wire but not captured
  IpAddress source{}, destination{};

  bool has(std::size_t bytes) const { return rest.size() >= bytes; }
  // Moves behind `bytes` of header; false (and the chain ends) when they aren't there.
  bool step(std::size_t bytes, Layer to, std::uint32_t to_type = 0) {
    if (rest.size() < bytes) return false;
    rest = rest.subspan(bytes);
    next = to;
    type = to_type;
    return true;
  }
};

bool step_link(Cursor& at);         // link.cpp: LINKTYPE_ headers
bool step_ether_type(Cursor& at);   // link.cpp: tags, MPLS, PPPoE, IP by EtherType
bool step_ppp(Cursor& at);
bool step_wifi(Cursor& at);         // wifi.cpp: 802.11 data frames
bool step_llc(Cursor& at);
bool step_mpls(Cursor& at);         // tunnel.cpp
bool step_gre(Cursor& at);
bool step_udp(Cursor& at);
bool step_udp_tunnel(Cursor& at);
bool knows_link_type(std::uint32_t link_type);

}  // namespace nlb::capture
