#include "libnlb/inspect/proxy_header.hpp"

#include <catch2/catch.hpp>
#include <list>
#include <string>

using namespace nlb;
using namespace nlb::inspect;

namespace {

// Headers hold views: the bytes are kept for as long as the tests run.
ProxyHeader parse(std::string_view text) {
  static std::list<std::string> kept;
  return parse_proxy_header(as_bytes(kept.emplace_back(text)));
}
ProxyAnswer answer(std::string_view text) { return parse(text).answer; }

const std::string signature("\r\n\r\n\0\r\nQUIT\n", 12);

}  // namespace

TEST_CASE("a version 1 line gives both addresses and its length") {
  const auto header = parse("PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\nGET / HTTP/1.1\r\n");
  REQUIRE(header.answer == ProxyAnswer::match);
  CHECK(header.bytes == 45);
  CHECK(header.version == 1);
  CHECK(to_string(header.source) == "192.0.2.1");
  CHECK(to_string(header.destination) == "198.51.100.7");
  CHECK(header.source_port == 56324);
  CHECK(header.destination_port == 443);
}

TEST_CASE("IPv6 in every form that RFC 4291 has") {
  for (const std::string address : {"::1", "2001:db8::1", "2001:DB8:0:0:8:800:200C:417A", "::", "fe80::", "::ffff:192.0.2.1", "1:2:3:4:5:6:7::"}) {
    const auto header = parse("PROXY TCP6 " + address + " ::2 1 2\r\n");
    INFO(address);
    REQUIRE(header.answer == ProxyAnswer::match);
    CHECK(header.source == *parse_ip(address));
  }
  for (const std::string address : {"1:2:3", "1::2::3", "12345::", "1:2:3:4:5:6:7:8:9", ":1", "1:", "g::", "::1%eth0", "192.0.2.1", "1.2.3.4::", ":::"}) {
    INFO(address);
    CHECK(answer("PROXY TCP6 " + address + " ::2 1 2\r\n") == ProxyAnswer::malformed);
  }
}

TEST_CASE("an UNKNOWN line is stepped over, whatever else stands in it") {
  CHECK(parse("PROXY UNKNOWN\r\n").bytes == 15);
  CHECK(parse("PROXY UNKNOWN ffff:f...f:ffff 65535 x\r\n").family == ProxyFamily::unspecified);
}

TEST_CASE("a version 1 line that breaks a rule is malformed, with the reason") {
  for (const std::string line :
       {"PROXY TCP5 1.2.3.4 1.2.3.4 1 2", "PROXY TCP4 1.2.3 1.2.3.4 1 2", "PROXY TCP4 01.2.3.4 1.2.3.4 1 2", "PROXY TCP4 1.2.3.256 1.2.3.4 1 2",
        "PROXY TCP4  1.2.3.4 1.2.3.4 1 2", "PROXY TCP4 1.2.3.4 1.2.3.4 1", "PROXY TCP4 1.2.3.4 1.2.3.4 1 65536", "PROXY TCP4 1.2.3.4 1.2.3.4 01 2",
        "PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3", "PROXY TCP4 1.2.3.4 1.2.3.4 -1 2", "PROXY TCP4 ::1 ::1 1 2", "PROXY \x01"}) {
    INFO(line);
    CHECK(answer(line + "\r\n") == ProxyAnswer::malformed);
    CHECK_FALSE(parse(line + "\r\n").reason.empty());
  }
  CHECK(answer("PROXY TCP4 1.2.3.4 1.2.3.4 1 2\rX") == ProxyAnswer::malformed);
  CHECK(answer("PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n") == ProxyAnswer::malformed);
  CHECK(answer("PROXY UNKNOWN " + std::string(91, 'x') + "\r\n") == ProxyAnswer::match);       // 107 bytes
  CHECK(answer("PROXY UNKNOWN " + std::string(92, 'x') + "\r\n") == ProxyAnswer::malformed);   // 108 bytes
}

TEST_CASE("what does not start like a header is none, and a strict prefix is more") {
  CHECK(answer("GET / HTTP/1.1\r\n") == ProxyAnswer::none);
  CHECK(answer("PROPFIND / HTTP/1.1\r\n") == ProxyAnswer::none);
  CHECK(answer("\r\n\r\nGET /") == ProxyAnswer::none);
  CHECK(answer("") == ProxyAnswer::more);
  CHECK(parse("PRO").need_bytes == 4);
  CHECK(parse(signature.substr(0, 5)).need_bytes == 6);
  CHECK(parse(signature + "\x21\x11" + std::string("\0\x0c", 2)).need_bytes == 28);
}

TEST_CASE("version 2 carries addresses of three families, and LOCAL carries none") {
  const auto v6 = parse(signature + "\x21\x21" + std::string("\0\x24", 2) + std::string(15, '\0') + "\x01" + std::string(15, '\0') + "\x02" + "\x01\x02\x03\x04");
  REQUIRE(v6.answer == ProxyAnswer::match);
  CHECK(to_string(v6.destination) == "::2");
  CHECK(v6.source_port == 0x0102);
  std::string path = "/run/a.sock";
  path.resize(108);
  const auto local_socket = parse(signature + "\x21\x31" + std::string("\0\xd8", 2) + path + path);
  REQUIRE(local_socket.answer == ProxyAnswer::match);
  CHECK(local_socket.source_path == "/run/a.sock");
  const auto local = parse(signature + std::string("\x20\0\0\0", 4));
  CHECK(local.answer == ProxyAnswer::match);
  CHECK(local.local);
  CHECK(local.bytes == 16);
}

TEST_CASE("version 2 is refused for a wrong version, command, family, length or TLV") {
  const std::string addresses(12, '\1');
  CHECK(answer(signature + "\x11") == ProxyAnswer::malformed);
  CHECK(answer(signature + "\x22") == ProxyAnswer::malformed);
  CHECK(answer(signature + "\x21\x41") == ProxyAnswer::malformed);
  CHECK(answer(signature + "\x21\x13") == ProxyAnswer::malformed);
  CHECK(answer(signature + "\x21\x11" + std::string("\0\x0b", 2) + addresses) == ProxyAnswer::malformed);
  CHECK(answer(signature + "\x21\x11\x10\x01") == ProxyAnswer::malformed);
  CHECK(answer(signature + "\x21\x11" + std::string("\0\x10", 2) + addresses + std::string("\4\0\2x", 4)) == ProxyAnswer::malformed);
  CHECK(answer(signature + "\x21\x11" + std::string("\0\x10", 2) + addresses + std::string("\4\0\1x", 4)) == ProxyAnswer::match);
}

TEST_CASE("what is written can be read, with TLVs and a checksum that notices a changed bit") {
  const ProxyAddresses four{*parse_ip("192.0.2.1"), *parse_ip("192.0.2.2"), 1, 65535};
  const ProxyAddresses mixed{*parse_ip("192.0.2.1"), *parse_ip("2001:db8::2"), 1, 2};
  CHECK(as_text(encode_proxy_v1(four).bytes()) == "PROXY TCP4 192.0.2.1 192.0.2.2 1 65535\r\n");
  CHECK(as_text(encode_proxy_v1(mixed).bytes()) == "PROXY TCP6 ::ffff:192.0.2.1 2001:db8::2 1 2\r\n");
  CHECK(encode_proxy_v2(four).size == 28);
  CHECK(encode_proxy_v2(mixed).size == 52);
  CHECK(parse_proxy_header(encode_proxy_v2_local().bytes()).local);
  for (const auto& a : {four, mixed})
    for (const auto& encoded : {encode_proxy_v1(a), encode_proxy_v2(a)}) {
      const auto header = parse_proxy_header(encoded.bytes());
      REQUIRE(header.answer == ProxyAnswer::match);
      CHECK(header.source == a.source);
      CHECK(header.destination == a.destination);
      CHECK(header.source_port == a.source_port);
    }
  const std::string name = "db.example";
  auto bytes = encode_proxy_v2(four, std::array{Tlv{tlv_authority, as_bytes(name)}}, true);
  auto header = parse_proxy_header(bytes);
  REQUIRE(header.answer == ProxyAnswer::match);
  const Tlv first = next_tlv(header.tlvs);
  CHECK(first.type == tlv_authority);
  CHECK(as_text(first.value) == name);
  CHECK(next_tlv(header.tlvs).type == tlv_crc32c);
  CHECK(header.tlvs.empty());
  bytes[20] ^= 1;
  CHECK(parse_proxy_header(bytes).answer == ProxyAnswer::malformed);
}
