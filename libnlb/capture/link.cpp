// Link layers, by LINKTYPE_ value (tcpdump.org/linktypes.html), and what follows an EtherType or a PPP protocol number.
#include "libnlb/capture/layers.hpp"

namespace nlb::capture {
namespace {

std::uint32_t load_le16(Bytes b, std::size_t at) { return static_cast<std::uint32_t>(b[at] | b[at + 1] << 8); }

bool ethernet(Cursor& at) {
  if (!at.has(14)) return false;
  const auto type = load_be16(at.rest, 12);
  return type >= 0x600 ? at.step(14, Layer::ether_type, type) : at.step(14, Layer::llc);   // smaller: an 802.3 length
}

// BSD loopback: an address family in the host order of the machine that captured (null) or in network order (loop, enc).
bool null_loopback(Cursor& at, std::size_t header) {
  if (!at.has(header)) return false;
  const auto big = load_be32(at.rest, 0), little = load_le32(at.rest, 0);
  const auto family = big < little ? big : little;
  if (family == 2) return at.step(header, Layer::ipv4);
  if (family == 10 || family == 23 || family == 24 || family == 28 || family == 30) return at.step(header, Layer::ipv6);
  return at.step(header, Layer::ip_any);
}

bool linux_cooked(Cursor& at) { return at.has(16) && at.step(16, Layer::ether_type, load_be16(at.rest, 14)); }
bool linux_cooked_2(Cursor& at) { return at.has(20) && at.step(20, Layer::ether_type, load_be16(at.rest, 0)); }
bool cisco_hdlc(Cursor& at) { return at.has(4) && at.step(4, Layer::ether_type, load_be16(at.rest, 2)); }
bool infiniband(Cursor& at) { return at.has(44) && at.step(44, Layer::ether_type, load_be16(at.rest, 40)); }

bool ppp_framed(Cursor& at) {   // RFC 1662: address and control may be there or not
  if (!at.has(4)) return false;
  if (at.rest[0] == 0x0f || at.rest[0] == 0x8f) return cisco_hdlc(at);
  return at.step(at.rest[0] == 0xff && at.rest[1] == 0x03 ? 2 : 0, Layer::ppp);
}

// NFLOG: a header, then type-length-values; the payload has type 9 (linktypes/LINKTYPE_NFLOG.html). Lengths are in host order.
bool netfilter_log(Cursor& at) {
  if (!at.has(4)) return false;
  const auto family = at.rest[0];
  at.rest = at.rest.subspan(4);
  while (at.has(4)) {
    const auto length = load_le16(at.rest, 0), type = load_le16(at.rest, 2) & 0x7fff;
    if (length < 4) return false;
    if (type == 9) return at.step(4, family == 10 ? Layer::ipv6 : Layer::ipv4);
    if (!at.step((length + 3) & ~3u, Layer::done)) return false;
  }
  return false;
}

bool per_packet_information(Cursor& at) { return at.has(8) && at.step(load_le16(at.rest, 2), Layer::link, load_le32(at.rest, 4)); }

bool apple_pktap(Cursor& at) {   // length, next type, then the link type of what follows
  if (!at.has(12)) return false;
  const auto header = load_le32(at.rest, 0), link_type = load_le32(at.rest, 8);
  return header >= 12 && at.step(header, Layer::link, link_type == 12 ? 101 : link_type);
}

bool arcnet_linux(Cursor& at) {   // source, destination, offset (2), protocol; RFC 1201 adds a split flag and a sequence number
  if (!at.has(8)) return false;
  const auto protocol = at.rest[4];
  if (protocol == 240) return at.step(5, Layer::ipv4);            // RFC 1051
  if (protocol != 212 && protocol != 196) return at.step(5, Layer::done);
  if (at.rest[5] == 0xff) {                                       // an exception frame repeats the header
    if (!at.has(12)) return false;
    at.step(4, Layer::done);
  }
  return at.step(8, protocol == 212 ? Layer::ipv4 : Layer::ipv6);
}

// Juniper's header in front of Ethernet: magic "MGC", flags (0x80: extensions with their length, 0x02: no layer 2 follows).
bool juniper_ethernet(Cursor& at) {
  if (!at.has(6) || load_be24(at.rest, 0) != 0x4d4743) return false;
  const auto flags = at.rest[3];
  const std::size_t header = (flags & 0x80) ? 6u + load_be16(at.rest, 4) : 4;
  return (flags & 0x02) ? at.step(header + 4, Layer::ip_any) : at.step(header, Layer::link, 1);
}

bool frame_relay(Cursor& at) {   // two address bytes, then NLPID (RFC 2427): 0xcc IPv4, 0x8e IPv6, 0x80 SNAP
  if (!at.has(4) || (at.rest[1] & 1) == 0 || at.rest[2] != 0x03) return at.step(0, Layer::done);
  if (at.rest[3] == 0xcc) return at.step(4, Layer::ipv4);
  if (at.rest[3] == 0x8e) return at.step(4, Layer::ipv6);
  if (at.rest[3] == 0 && at.has(10) && at.rest[4] == 0x80) return at.step(10, Layer::ether_type, load_be16(at.rest, 8));
  return at.step(4, Layer::done);
}

bool radiotap(Cursor& at) { return at.has(4) && at.step(load_le16(at.rest, 2), Layer::wifi); }
bool prism(Cursor& at) { return at.step(144, Layer::wifi); }
bool avs(Cursor& at) { return at.has(8) && at.step(load_be32(at.rest, 4), Layer::wifi); }
bool wifi(Cursor& at) { return at.step(0, Layer::wifi); }
bool raw_ip(Cursor& at) { return at.step(0, Layer::ip_any); }
bool raw_ipv4(Cursor& at) { return at.step(0, Layer::ipv4); }
bool raw_ipv6(Cursor& at) { return at.step(0, Layer::ipv6); }
bool null_4(Cursor& at) { return null_loopback(at, 4); }
bool enc(Cursor& at) { return null_loopback(at, 12); }
bool llc_first(Cursor& at) { return at.step(0, Layer::llc); }

struct LinkRow {
  std::uint32_t link_type;
  bool (*step)(Cursor&);
};
constexpr LinkRow links[] = {
    {0, null_4}, {1, ethernet}, {9, ppp_framed}, {12, raw_ip}, {14, raw_ip}, {50, ppp_framed}, {100, llc_first},
    {101, raw_ip}, {104, cisco_hdlc}, {105, wifi}, {107, frame_relay}, {108, null_4}, {109, enc}, {113, linux_cooked},
    {119, prism}, {127, radiotap}, {129, arcnet_linux}, {149, apple_pktap}, {163, avs}, {178, juniper_ethernet},
    {192, per_packet_information}, {228, raw_ipv4}, {229, raw_ipv6}, {239, netfilter_log}, {242, infiniband},
    {258, apple_pktap}, {276, linux_cooked_2},
};

bool vlan(Cursor& at) { return at.has(4) && at.step(4, Layer::ether_type, load_be16(at.rest, 2)); }

}  // namespace

bool knows_link_type(std::uint32_t link_type) {
  for (const auto& row : links)
    if (row.link_type == link_type) return true;
  return false;
}

bool step_link(Cursor& at) {
  if (at.type == 1) return ethernet(at);
  for (const auto& row : links)
    if (row.link_type == at.type) return row.step(at);
  return at.step(0, Layer::done);
}

bool step_ether_type(Cursor& at) {
  switch (at.type) {
    case 0x0800: return at.step(0, Layer::ipv4);
    case 0x86dd: return at.step(0, Layer::ipv6);
    case 0x8100: case 0x88a8: case 0x9100: case 0x9200: return vlan(at);   // 802.1Q, 802.1ad and their older numbers
    case 0x8926: return at.has(6) && at.step(6, Layer::ether_type, load_be16(at.rest, 4));   // VN-Tag
    case 0x8909: return at.has(8) && at.step(6, Layer::ether_type, load_be16(at.rest, 4));   // Cisco metadata
    case 0x8847: case 0x8848: return at.step(0, Layer::mpls);
    case 0x8864: return at.step(6, Layer::ppp);   // PPPoE session, RFC 2516
    case 0x880b: return at.step(0, Layer::ppp);
    case 0x6558: return at.step(0, Layer::link, 1);   // Ethernet bridged over GRE or GENEVE
    case 0x88e7: return at.step(4, Layer::link, 1);   // 802.1ah: I-tag, then the customer's frame
    case 0x0004: return at.step(0, Layer::llc);       // Linux cooked: 802.2
    default: return at.step(0, Layer::done);
  }
}

bool step_ppp(Cursor& at) {
  if (!at.has(2)) return false;
  const std::size_t width = (at.rest[0] & 1) ? 1 : 2;   // protocol field compression, RFC 1661 section 6.5
  const std::uint32_t protocol = width == 1 ? at.rest[0] : load_be16(at.rest, 0);
  switch (protocol) {
    case 0x0021: return at.step(width, Layer::ipv4);
    case 0x0057: return at.step(width, Layer::ipv6);
    case 0x0281: return at.step(width, Layer::mpls);
    case 0x0031: return at.step(width + 2, Layer::link, 1);   // bridged Ethernet, RFC 3518
    default: return at.step(width, Layer::done);
  }
}

}  // namespace nlb::capture
