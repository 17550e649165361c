#include "libnlb/capture/decoder.hpp"

#include <catch2/catch.hpp>

#include "tests/unit/capture/talk.hpp"

using namespace nlb;
using namespace nlb::capture;
using namespace nlb::capture::test;

namespace {

constexpr std::string_view payload = "PING\r\n";

void finds(const Octets& bytes, std::uint32_t link_type) {
  Decoder decoder;
  Segment segment;
  REQUIRE(decoder.decode(frame(bytes, link_type), segment) == Found::segment);
  CHECK(as_text(segment.payload) == payload);
  CHECK(segment.source_port == 50000);
  CHECK(segment.destination_port == 7777);
  for (std::size_t cut = 0; cut < bytes.size(); ++cut) {   // a short snap length never reads beyond, and never invents payload
    const Octets shorter(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(cut));
    Segment part;
    if (decoder.decode({shorter, static_cast<std::uint32_t>(bytes.size()), link_type, 0}, part) == Found::segment)
      CHECK(as_text(part.payload) == payload.substr(0, part.payload.size()));
  }
}

const Octets ip4 = ipv4(tcp(payload)), ip6 = ipv6(tcp(payload)), inner = ethernet(0x0800, ip4);

}  // namespace

TEST_CASE("link layers lead to the segment") {
  SECTION("Ethernet with padding") { finds(ethernet(0x0800, ip4) + zeros(7), 1); }
  SECTION("Ethernet, IPv6") { finds(ethernet(0x86dd, ip6), 1); }
  SECTION("VLAN in VLAN") { finds(ethernet(0x88a8, be16(3) + be16(0x8100) + be16(4) + be16(0x0800) + ip4), 1); }
  SECTION("802.3 with SNAP") { finds(zeros(12) + be16(54) + Octets{0xaa, 0xaa, 3, 0, 0, 0, 8, 0} + ip4, 1); }
  SECTION("Linux cooked") { finds(zeros(14) + be16(0x0800) + ip4, 113); }
  SECTION("Linux cooked 2") { finds(be16(0x86dd) + zeros(18) + ip6, 276); }
  SECTION("raw IP") { finds(ip4, 101), finds(ip6, 101), finds(ip4, 228), finds(ip6, 229); }
  SECTION("null, either byte order, and loop") { finds(le32(2) + ip4, 0), finds(be32(2) + ip4, 0), finds(be32(30) + ip6, 108); }
  SECTION("PPP") { finds(Octets{0xff, 3, 0, 0x21} + ip4, 9), finds(Octets{0x21} + ip4, 9); }
  SECTION("Cisco HDLC") { finds(Octets{0x0f, 0} + be16(0x0800) + ip4, 104); }
  SECTION("802.11 with radiotap") {
    finds(Octets{0, 0, 8, 0, 0, 0, 0, 0} + Octets{0x88, 1} + zeros(24) + Octets{0xaa, 0xaa, 3, 0, 0, 0, 8, 0} + ip4, 127);
  }
  SECTION("NFLOG") { finds(Octets{2, 0, 0, 0, 8, 0, 1, 0, 1, 2, 3, 4, static_cast<std::uint8_t>(ip4.size() + 4), 0, 9, 0} + ip4, 239); }
  SECTION("PPI around Ethernet") { finds(Octets{0, 0, 8, 0, 1, 0, 0, 0} + inner, 192); }
}

TEST_CASE("tunnels lead to the segment") {
  const auto over_udp = [](std::uint16_t port, const Octets& body) { return ethernet(0x0800, ipv4(udp(port, body), 17)); };
  SECTION("MPLS, two labels") { finds(ethernet(0x8847, be32(0x00010000) + be32(0x00020100) + ip4), 1); }
  SECTION("PPPoE") { finds(ethernet(0x8864, Octets{0x11, 0, 0, 1, 0, 60} + be16(0x0021) + ip4), 1); }
  SECTION("IP in IP and 6in4") { finds(ipv4(ip4, 4), 101), finds(ipv4(ip6, 41), 101), finds(ipv6(ip4, 4), 101); }
  SECTION("GRE with key and sequence") { finds(ipv4(be16(0x3000) + be16(0x0800) + zeros(8) + ip4, 47), 101); }
  SECTION("ERSPAN II") { finds(ipv4(be16(0x1000) + be16(0x88be) + zeros(4) + zeros(8) + inner, 47), 101); }
  SECTION("VXLAN") { finds(over_udp(4789, Octets{8} + zeros(7) + inner), 1); }
  SECTION("GENEVE with options") { finds(over_udp(6081, Octets{1, 0} + be16(0x6558) + zeros(4) + zeros(4) + inner), 1); }
  SECTION("GTP-U with an extension") {
    finds(over_udp(2152, Octets{0x34, 255} + be16(60) + zeros(4) + Octets{0, 0, 0, 0x85, 1, 0, 0, 0} + ip4), 1);
  }
  SECTION("Teredo") { finds(over_udp(3544, ip6), 1); }
  SECTION("IPv6 extension headers") { finds(ipv6(Octets{60, 0} + zeros(6) + Octets{6, 1} + zeros(14) + tcp(payload), 0), 229); }
}

TEST_CASE("fragments are put together in any order") {
  const auto whole = tcp("a payload that is long enough to be cut in three");
  const auto part = [&](std::size_t begin, std::size_t end) { return Octets(whole.begin() + static_cast<std::ptrdiff_t>(begin), whole.begin() + static_cast<std::ptrdiff_t>(end)); };
  const Octets parts[] = {ipv4(part(0, 24), 6, 0x2000), ipv4(part(24, 48), 6, 0x2003), ipv4(part(48, whole.size()), 6, 6)};
  const auto first = GENERATE(0, 1, 2), second = GENERATE(0, 1, 2);
  if (first == second) return;
  Decoder decoder;
  Segment segment;
  CHECK(decoder.decode(frame(parts[first], 101), segment) == Found::fragment);
  CHECK(decoder.decode(frame(parts[second], 101), segment) == Found::fragment);
  REQUIRE(decoder.decode(frame(parts[3 - first - second], 101), segment) == Found::segment);
  CHECK(segment.length == whole.size() - 20);
  CHECK(as_text(segment.payload).starts_with("a payload"));
}

TEST_CASE("fragments that never become whole are bounded and counted") {
  Fragments fragments;
  for (std::uint32_t id = 0; id < Fragments::datagrams_max + 5; ++id)
    CHECK_FALSE(fragments.add({.source = {}, .destination = {}, .id = id, .protocol = 6}, 0, true, as_bytes("abcdefgh")));
  CHECK(fragments.given_up() == 5);
}

TEST_CASE("tunnels nested without end are given up") {
  Octets nested = ip4;
  for (int i = 0; i < 60; ++i) nested = ipv4(nested, 4);
  Decoder decoder;
  Segment segment;
  CHECK(decoder.decode(frame(nested, 101), segment) == Found::damaged);
}
