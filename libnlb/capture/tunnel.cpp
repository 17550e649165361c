// Tunnels: MPLS, GRE (with ERSPAN), and those in UDP, which are told by their registered ports: VXLAN, GENEVE, GTP-U, Teredo, L2TP,
// CAPWAP. The port only says where to look; what is inside must then be whole.
#include "libnlb/capture/layers.hpp"

namespace nlb::capture {
namespace {

// VXLAN, RFC 7348 section 5; with the GPE next-protocol of draft-ietf-nvo3-vxlan-gpe on its own port.
bool vxlan(Cursor& at) { return at.has(8) && (at.rest[0] & 0x08) && at.step(8, Layer::link, 1); }

bool vxlan_gpe(Cursor& at) {
  if (!at.has(8)) return false;
  const auto next = at.rest[3];
  if (next == 1) return at.step(8, Layer::ipv4);
  if (next == 2) return at.step(8, Layer::ipv6);
  return at.step(8, Layer::link, 1);
}

bool geneve(Cursor& at) {   // RFC 8926 section 3.4
  if (!at.has(8) || at.rest[0] >> 6 != 0) return false;
  return at.step(8u + (at.rest[0] & 0x3fu) * 4u, Layer::ether_type, load_be16(at.rest, 2));
}

bool gtp_user(Cursor& at) {   // 3GPP TS 29.281 section 5: version 1, message type 255 carries a packet
  if (!at.has(8) || at.rest[0] >> 5 != 1 || at.rest[1] != 255) return at.step(0, Layer::done);
  const bool extended = (at.rest[0] & 0x07) != 0;
  bool another = (at.rest[0] & 0x04) != 0 && at.has(12) && at.rest[11] != 0;
  if (!at.step(extended ? 12 : 8, Layer::ip_any)) return false;
  while (another) {
    if (!at.has(4) || at.rest[0] == 0) return false;
    const std::size_t length = at.rest[0] * 4u;
    if (!at.has(length)) return false;
    another = at.rest[length - 1] != 0;
    at.step(length, Layer::ip_any);
  }
  return true;
}

bool teredo(Cursor& at) {   // RFC 4380 section 5.1.1: optional authentication and origin in front of IPv6
  if (at.has(4) && load_be16(at.rest, 0) == 1 && !at.step(13u + at.rest[2] + at.rest[3], Layer::done)) return false;
  if (at.has(8) && load_be16(at.rest, 0) == 0) at.step(8, Layer::done);
  return at.step(0, at.has(1) && at.rest[0] >> 4 == 6 ? Layer::ipv6 : Layer::done);
}

bool l2tp(Cursor& at) {   // RFC 2661 section 3.1: data messages carry PPP
  if (!at.has(6)) return false;
  const auto flags = load_be16(at.rest, 0);
  if ((flags & 0x8000) || (flags & 0x000f) != 2) return at.step(0, Layer::done);
  std::size_t header = 6 + ((flags & 0x4000) ? 2u : 0u) + ((flags & 0x0800) ? 4u : 0u);
  if (flags & 0x0200) {
    if (!at.has(header + 2)) return false;
    header += 2u + load_be16(at.rest, header);
  }
  if (!at.step(header, Layer::ppp) || !at.has(2)) return false;
  return at.step(at.rest[0] == 0xff && at.rest[1] == 0x03 ? 2 : 0, Layer::ppp);
}

// CAPWAP data, RFC 5415 section 4.3: HLEN counts words; WBID 1 carries 802.11 unless the T bit says 802.3.
bool capwap(Cursor& at) {
  if (!at.has(8) || at.rest[0] != 0) return at.step(0, Layer::done);
  const std::size_t header = (at.rest[1] >> 3) * 4u;
  const bool native = (at.rest[3] & 0x80) == 0 ? (at.rest[2] & 0x01) == 0 : false;
  const bool fragment = (at.rest[3] & 0x80) != 0;
  if (header < 8 || fragment) return at.step(0, Layer::done);
  return native ? at.step(header, Layer::link, 1) : at.step(header, Layer::wifi);
}

struct PortRow {
  std::uint16_t port;
  bool (*step)(Cursor&);
};
constexpr PortRow udp_tunnels[] = {{4789, vxlan}, {8472, vxlan}, {4790, vxlan_gpe}, {6081, geneve}, {2152, gtp_user},
                                   {3544, teredo}, {1701, l2tp}, {5247, capwap}};

// ERSPAN type II and III (draft-foschiano-erspan): a header of 8 or 12 bytes, and 8 more when the O bit of type III says so.
bool erspan(Cursor& at, std::uint32_t protocol, bool has_sequence) {
  if (protocol == 0x88be) return at.step(has_sequence ? 8 : 0, Layer::link, 1);   // type I has neither sequence nor header
  if (!at.has(12)) return false;
  return at.step((at.rest[11] & 1) ? 20 : 12, Layer::link, 1);
}

}  // namespace

bool step_mpls(Cursor& at) {   // RFC 3032; below the last label: IP by its first nibble, else Ethernet (RFC 4448)
  for (bool bottom = false; !bottom;) {
    if (!at.has(4)) return false;
    bottom = (at.rest[2] & 1) != 0;
    at.rest = at.rest.subspan(4);
  }
  if (!at.has(1)) return false;
  switch (at.rest[0] >> 4) {
    case 4: return at.step(0, Layer::ipv4);
    case 6: return at.step(0, Layer::ipv6);
    case 0: return at.step(4, Layer::link, 1);   // the control word of a pseudowire
    default: return at.step(0, Layer::link, 1);
  }
}

bool step_gre(Cursor& at) {   // RFC 2784 and 2890; version 1 is PPTP's (RFC 2637)
  if (!at.has(4)) return false;
  const auto flags = load_be16(at.rest, 0), protocol = load_be16(at.rest, 2);
  const bool checksum = flags & 0x8000, routing = flags & 0x4000, key = flags & 0x2000, sequence = flags & 0x1000;
  std::size_t header = 4 + (checksum || routing ? 4u : 0u) + (key ? 4u : 0u) + (sequence ? 4u : 0u);
  if ((flags & 7) == 1) {
    if (flags & 0x0080) header += 4;   // acknowledgement
    if (!at.step(header, Layer::ppp)) return false;
    if (at.has(2) && at.rest[0] == 0xff && at.rest[1] == 0x03) at.rest = at.rest.subspan(2);
    return true;
  }
  if (!at.step(header, Layer::ether_type, protocol)) return false;
  if (protocol == 0x88be || protocol == 0x22eb) return erspan(at, protocol, sequence);
  if (protocol == 0x883e) {            // WCCP: version 2 puts four bytes in front of IPv4
    return at.step(at.has(1) && at.rest[0] >> 4 == 4 ? 0 : 4, Layer::ipv4);
  }
  return true;
}

bool step_udp(Cursor& at) {
  if (!at.has(8)) return false;
  const auto source = load_be16(at.rest, 0), destination = load_be16(at.rest, 2);
  for (const auto& row : udp_tunnels)
    if (row.port == destination || row.port == source) return at.step(8, Layer::udp_tunnel, row.port);
  return at.step(8, Layer::done);
}

bool step_udp_tunnel(Cursor& at) {
  for (const auto& row : udp_tunnels)
    if (row.port == at.type) return row.step(at);
  return at.step(0, Layer::done);
}

}  // namespace nlb::capture
