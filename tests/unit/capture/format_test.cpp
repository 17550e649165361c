#include "libnlb/capture/format.hpp"

#include <catch2/catch.hpp>

#include "tests/unit/capture/talk.hpp"

using namespace nlb;
using namespace nlb::capture;
using namespace nlb::capture::test;

namespace {

struct Seen {
  std::string bytes;
  std::uint32_t link_type;
  std::int64_t time_ns;
};

// Reads a whole capture; `end` is the step at which it stopped.
std::vector<Seen> read(const Octets& file, Step& end, std::string* damage = nullptr) {
  std::vector<Seen> seen;
  RecordParser parser;
  Packet packet;
  for (Bytes rest(file);;) {
    end = parser.next(rest, packet);
    if (end == Step::packet) seen.push_back({std::string(as_text(packet.bytes)), packet.link_type, packet.time_ns});
    if (end != Step::packet && end != Step::skipped) break;
    rest = rest.subspan(parser.consumed());
  }
  if (damage != nullptr) *damage = parser.damage();
  return seen;
}

Octets reversed(Octets b) { return {b.rbegin(), b.rend()}; }
Octets le16(std::uint32_t n) { return reversed(be16(n)); }
Octets pcap(std::uint32_t magic, std::uint32_t link) { return le32(magic) + le16(2) + le16(4) + zeros(8) + le32(65535) + le32(link); }
Octets block(std::uint32_t type, const Octets& body) {
  const auto length = static_cast<std::uint32_t>(body.size() + 12);
  return le32(type) + le32(length) + body + le32(length);
}
Octets section() { return block(0x0a0d0d0a, le32(0x1a2b3c4d) + le16(1) + le16(0) + Octets(8, 0xff)); }
Octets interface(std::uint32_t link, const Octets& options = {}) { return block(1, le16(link) + le16(0) + le32(0) + options); }
Octets enhanced(std::uint32_t id, std::uint32_t ticks, std::string_view data) {
  const auto size = static_cast<std::uint32_t>(data.size());
  return block(6, le32(id) + le32(0) + le32(ticks) + le32(size) + le32(size) + octets(data) + zeros((4 - size % 4) % 4));
}
const Octets record = le32(5) + le32(7) + le32(3) + le32(3) + octets("abc");

void check_prefixes(const Octets& file, std::size_t packets) {   // cut anywhere, nothing is invented
  for (std::size_t cut = 0; cut < file.size(); ++cut) {
    Step end;
    const auto seen = read(Octets(file.begin(), file.begin() + static_cast<std::ptrdiff_t>(cut)), end);
    CHECK(end == Step::more);
    CHECK(seen.size() <= packets);
  }
}

}  // namespace

TEST_CASE("pcap in both byte orders, with micro- and nanoseconds") {
  Step end;
  const auto little = pcap(0xa1b2c3d4, 1) + record;
  auto seen = read(little, end);
  REQUIRE(seen.size() == 1);
  CHECK(seen[0].bytes == "abc");
  CHECK(seen[0].time_ns == 5'000'007'000);
  CHECK(end == Step::more);
  check_prefixes(little, 1);
  CHECK(read(pcap(0xa1b23c4d, 1) + record, end)[0].time_ns == 5'000'000'007);
  const auto big = be32(0xa1b2c3d4) + be16(2) + be16(4) + zeros(8) + be32(65535) + be32(113) + be32(5) + be32(7) + be32(3) + be32(3) + octets("abc");
  seen = read(big, end);
  REQUIRE(seen.size() == 1);
  CHECK(seen[0].link_type == 113);
}

TEST_CASE("pcap with Kuznetsov's longer records") {
  Step end;
  const auto seen = read(pcap(0xa1b2cd34, 1) + le32(5) + le32(7) + le32(3) + le32(3) + zeros(8) + octets("abc"), end);
  REQUIRE(seen.size() == 1);
  CHECK(seen[0].bytes == "abc");
}

TEST_CASE("pcapng: every packet has its interface's link type and clock") {
  const auto nano = le16(9) + le16(1) + Octets{9, 0, 0, 0} + le32(0);
  const auto file = section() + interface(1) + interface(101, nano) + enhanced(1, 9, "ip") + block(99, zeros(8)) + enhanced(0, 9, "ether");
  Step end;
  const auto seen = read(file, end);
  REQUIRE(seen.size() == 2);
  CHECK(seen[0].bytes == "ip");
  CHECK(seen[0].link_type == 101);
  CHECK(seen[0].time_ns == 9);
  CHECK(seen[1].link_type == 1);
  CHECK(seen[1].time_ns == 9000);
  check_prefixes(file, 2);
}

TEST_CASE("a new pcapng section forgets the interfaces of the last one") {
  Step end;
  std::string damage;
  CHECK(read(section() + interface(1) + section() + enhanced(0, 1, "x"), end, &damage).empty());
  CHECK(end == Step::damaged);
  CHECK(damage == "a packet names interface 0 of 0");
}

TEST_CASE("snoop") {
  const auto file = octets(std::string_view("snoop\0\0\0", 8)) + be32(2) + be32(4) + be32(60) + be32(3) + be32(28) + be32(0) + be32(5) + be32(7) + octets("abc") + zeros(1);
  Step end;
  const auto seen = read(file, end);
  REQUIRE(seen.size() == 1);
  CHECK(seen[0].bytes == "abc");
  CHECK(seen[0].time_ns == 5'000'007'000);
}

TEST_CASE("what is no capture is named") {
  Step end;
  std::string damage;
  read(octets("hello"), end, &damage);
  CHECK(end == Step::damaged);
  CHECK(damage == "it begins with 68656c6c, which is neither pcap, pcapng nor snoop");
  read(Octets{0x1f, 0x8b, 8, 0}, end, &damage);
  CHECK(damage == "it is compressed with gzip; try: zcat FILE | nlb-inspect -");
  read(pcap(0xa1b2c3d4, 1) + zeros(8) + le32(0x7fffffff) + le32(3), end, &damage);
  CHECK(end == Step::damaged);
  CHECK(damage == "a record claims 2147483647 bytes, more than the limit of 16777216");
}
