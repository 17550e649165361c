#include "libnlb/capture/decoder.hpp"

#include <algorithm>

#include "libnlb/capture/layers.hpp"

namespace nlb::capture {
namespace {

constexpr std::uint32_t protocol_hop_by_hop = 0, protocol_ipv4 = 4, protocol_tcp = 6, protocol_udp = 17, protocol_ipv6 = 41,
                        protocol_routing = 43, protocol_fragment = 44, protocol_gre = 47, protocol_ah = 51,
                        protocol_destination = 60, protocol_mobility = 135, protocol_mpls = 137, protocol_ethernet = 143;

// What IP says follows its headers, cut to that length: Ethernet pads short frames, snap lengths cut long ones.
void trim(Cursor& at, std::size_t length) {
  at.missing = length > at.rest.size() ? static_cast<std::uint32_t>(length - at.rest.size()) : 0;
  if (length < at.rest.size()) at.rest = at.rest.first(length);
}

class Walk {
 public:
  Walk(Fragments& fragments, const Packet& packet, Segment& out) : fragments_(fragments), out_(out) {
    at_.rest = packet.bytes;
    at_.next = Layer::link;
    at_.type = packet.link_type;
  }

  Found run() {
    for (int depth = 0; depth < layers_max; ++depth) {
      if (at_.next == Layer::done) return result_;
      if (!step()) return Found::damaged;
    }
    return Found::damaged;
  }

 private:
  bool step() {
    switch (at_.next) {
      case Layer::link: return step_link(at_);
      case Layer::ether_type: return step_ether_type(at_);
      case Layer::ppp: return step_ppp(at_);
      case Layer::ip_any: return ip_any();
      case Layer::ipv4: return ipv4();
      case Layer::ipv6: return ipv6();
      case Layer::ip_protocol: return ip_protocol();
      case Layer::mpls: return step_mpls(at_);
      case Layer::wifi: return step_wifi(at_);
      case Layer::llc: return step_llc(at_);
      case Layer::udp_tunnel: return step_udp_tunnel(at_);
      case Layer::done: return true;
    }
    return false;
  }

  bool ip_any() {
    if (!at_.has(1)) return false;
    switch (at_.rest[0] >> 4) {
      case 4: return at_.step(0, Layer::ipv4);
      case 6: return at_.step(0, Layer::ipv6);
      default: return at_.step(0, Layer::done);
    }
  }

  bool ipv4() {   // RFC 791 section 3.1
    const auto& b = at_.rest;
    if (b.size() < 20 || b[0] >> 4 != 4) return false;
    const std::size_t header = (b[0] & 0x0fu) * 4u, total = load_be16(b, 2);
    if (header < 20 || b.size() < header || (total != 0 && total < header)) return false;
    const auto fragment = load_be16(b, 6);
    const std::uint32_t id = load_be16(b, 4);
    const auto protocol = b[9];
    at_.source = IpAddress::v4(load_be32(b, 12));
    at_.destination = IpAddress::v4(load_be32(b, 16));
    at_.step(header, Layer::ip_protocol, protocol);
    trim(at_, total == 0 ? at_.rest.size() : total - header);   // 0: segmentation offload left it to the card
    if ((fragment & 0x3fff) == 0) [[likely]] return true;
    return reassemble({at_.source, at_.destination, id, protocol}, (fragment & 0x1fffu) * 8u, (fragment & 0x2000) != 0);
  }

  bool ipv6() {   // RFC 8200 section 3
    const auto& b = at_.rest;
    if (b.size() < 40 || b[0] >> 4 != 6) return false;
    const std::size_t length = load_be16(b, 4);
    const auto protocol = b[6];
    at_.source = IpAddress::v6(b.subspan(8, 16));
    at_.destination = IpAddress::v6(b.subspan(24, 16));
    at_.step(40, Layer::ip_protocol, protocol);
    trim(at_, length == 0 ? at_.rest.size() : length);   // 0: a jumbogram (RFC 2675) or segmentation offload
    return true;
  }

  bool ip_protocol() {
    switch (at_.type) {
      case protocol_tcp: return tcp();
      case protocol_udp: return step_udp(at_);
      case protocol_gre: return step_gre(at_);
      case protocol_ipv4: return at_.step(0, Layer::ipv4);
      case protocol_ipv6: return at_.step(0, Layer::ipv6);
      case protocol_mpls: return at_.step(0, Layer::mpls);
      case protocol_ethernet: return at_.step(0, Layer::link, 1);
      case protocol_fragment: return ipv6_fragment();
      case protocol_ah: return at_.has(2) && extension((at_.rest[1] + 2u) * 4u);   // RFC 4302: counted in words, less two
      case protocol_hop_by_hop: case protocol_routing: case protocol_destination: case protocol_mobility:
        return at_.has(2) && extension((at_.rest[1] + 1u) * 8u);
      default: return at_.step(0, Layer::done);
    }
  }

  bool extension(std::size_t bytes) { return at_.has(bytes) && at_.step(bytes, Layer::ip_protocol, at_.rest[0]); }

  bool ipv6_fragment() {   // RFC 8200 section 4.5
    if (!at_.has(8)) return false;
    const auto offset = load_be16(at_.rest, 2);
    const auto id = load_be32(at_.rest, 4);
    const auto protocol = at_.rest[0];
    at_.step(8, Layer::ip_protocol, protocol);
    if ((offset & 0xfff9) == 0) return true;
    return reassemble({at_.source, at_.destination, id, protocol}, offset & 0xfff8u, (offset & 1) != 0);
  }

  bool reassemble(const FragmentKey& key, std::size_t offset, bool more) {
    const auto whole = at_.missing == 0 ? fragments_.add(key, offset, more, at_.rest) : std::nullopt;
    if (whole) at_.rest = *whole;
    else result_ = Found::fragment;
    return whole ? true : at_.step(0, Layer::done);
  }

  bool tcp() {   // RFC 9293 section 3.1
    const auto& b = at_.rest;
    if (b.size() < 20) return false;
    const std::size_t header = (b[12] >> 4) * 4u;
    if (header < 20 || b.size() + at_.missing < header) return false;
    out_.source = at_.source;
    out_.destination = at_.destination;
    out_.source_port = load_be16(b, 0);
    out_.destination_port = load_be16(b, 2);
    out_.sequence = load_be32(b, 4);
    out_.acknowledgement = load_be32(b, 8);
    out_.flags = b[13];
    out_.payload = b.subspan(std::min(header, b.size()));
    out_.length = static_cast<std::uint32_t>(b.size() + at_.missing - header);
    result_ = Found::segment;
    return at_.step(0, Layer::done);
  }

  Fragments& fragments_;
  Segment& out_;
  Cursor at_{};
  Found result_ = Found::other;
};

}  // namespace

Found Decoder::decode(const Packet& packet, Segment& out) { return Walk(fragments_, packet, out).run(); }

}  // namespace nlb::capture
