#include <catch2/catch.hpp>

#include "libnlb/core/address.hpp"
#include "libnlb/core/bytes.hpp"
#include "libnlb/core/excerpt.hpp"
#include "libnlb/core/hash.hpp"
#include "libnlb/core/protocol.hpp"
#include "libnlb/core/rng.hpp"
#include "libnlb/core/sticky.hpp"
#include "libnlb/core/time.hpp"

using namespace nlb;

TEST_CASE("durations are read with their unit and printed so that they can be read again") {
  CHECK(*parse_duration("50ms") == 50ms);
  CHECK(*parse_duration("1h30m") == 90min);
  CHECK(*parse_duration("1.5s") == 1500ms);
  CHECK(*parse_duration("0") == 0ns);
  CHECK_FALSE(parse_duration("50"));
  CHECK_FALSE(parse_duration("-1s"));
  CHECK_FALSE(parse_duration(""));
  CHECK_FALSE(parse_duration("5x"));
  for (Duration d : {Duration{0}, Duration{1}, Duration{1500ms}, Duration{90min}, Duration{25h + 3ns}})
    CHECK(*parse_duration(format_duration(d)) == d);
}

TEST_CASE("a duration or a size is a finite number") {
  for (const auto* text : {"nan", "nans", "inf", "infs", "1e999s"}) CHECK_FALSE(parse_duration(text).has_value());
  for (const auto* text : {"nan", "inf", "infM"}) CHECK_FALSE(parse_size(text).has_value());
}

TEST_CASE("sizes take decimal and binary units") {
  CHECK(*parse_size("100MiB") == 100u << 20);
  CHECK(*parse_size("64k") == 64000);
  CHECK(*parse_size("1500") == 1500);
  CHECK(*parse_size("4KiB") == 4096);
  CHECK_FALSE(parse_size("12 apples"));
  CHECK(format_size(1536) == "1.5 KiB");
}

TEST_CASE("RFC 3339 times are UTC with the fraction asked for") {
  CHECK(format_rfc3339(WallTime{} + 1ns * 1700000000123456789, 6) == "2023-11-14T22:13:20.123456Z");
  CHECK(format_rfc3339(WallTime{} - 1s, 0) == "1969-12-31T23:59:59Z");
}

TEST_CASE("endpoints are read and printed in one form") {
  CHECK(to_string(*parse_endpoint("127.0.0.1:80")) == "127.0.0.1:80");
  CHECK(to_string(*parse_endpoint("[2001:DB8::1]:443")) == "[2001:db8::1]:443");
  CHECK(to_string(*parse_endpoint(":8080")) == "[::]:8080");
  CHECK(parse_endpoint("db.example:5432")->kind == Endpoint::Kind::name);
  CHECK(parse_endpoint("unix:/run/x.sock")->host == "/run/x.sock");
  for (auto wrong : {"127.0.0.1", "127.0.0.1:70000", "::1:80", "a b:80", "[x]:1", "unix:"}) CHECK_FALSE(parse_endpoint(wrong));
}

TEST_CASE("a network contains its addresses and no other") {
  const auto ten = *parse_network("10.0.0.0/8");
  CHECK(ten.contains(*parse_ip("10.255.0.1")));
  CHECK_FALSE(ten.contains(*parse_ip("11.0.0.1")));
  CHECK_FALSE(ten.contains(*parse_ip("::1")));
  CHECK(parse_network("2001:db8::/33")->contains(*parse_ip("2001:db8:7fff::1")));
  CHECK_FALSE(parse_network("2001:db8::/33")->contains(*parse_ip("2001:db8:8000::1")));
  CHECK(to_string(ten) == "10.0.0.0/8");
  CHECK_FALSE(parse_network("10.0.0.0/33"));
}

TEST_CASE("hashes agree with their papers") {
  SipKey key{};
  std::vector<std::uint8_t> message;
  for (int i = 0; i < 16; ++i) key[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(i);
  for (int i = 0; i < 15; ++i) message.push_back(static_cast<std::uint8_t>(i));
  CHECK(siphash(key, message) == 0xa129ca6149be45e5);   // appendix A of the SipHash paper
  CHECK(crc32c(as_bytes("123456789")) == 0xe3069283);
}

TEST_CASE("hex goes there and back, and nonsense is refused") {
  CHECK(to_hex(*from_hex("0x16 03:01")) == "160301");
  CHECK_FALSE(from_hex("1"));
  CHECK_FALSE(from_hex("zz"));
}

TEST_CASE("an excerpt is whole or cut between two characters, and has no control characters") {
  CHECK(excerpt("10.0.0.1") == "10.0.0.1");
  CHECK(excerpt("a\r\nb\x7f") == "a..b.");
  CHECK(excerpt("abcdef", 6) == "abcdef");
  CHECK(excerpt("abcdefg", 6) == "abcdef...");
  CHECK(excerpt("abcd\xc3\xa9g", 5) == "abcd...");
  CHECK(excerpt(std::string(9, '\x80'), 4) == "...");
}

TEST_CASE("protocol names go there and back") {
  for (auto name : protocol_names) CHECK(to_string(*parse_protocol(name)) == name);
  CHECK_FALSE(parse_protocol("HTTP"));
}

TEST_CASE("the same seed gives the same numbers, within bounds") {
  Rng a(1), b(1);
  for (int i = 0; i < 1000; ++i) {
    const auto x = a.below(10);
    CHECK(x == b.below(10));
    REQUIRE(x < 10);
  }
}

TEST_CASE("clients fall into two halves, whatever bucket they have, and into others half an hour later") {
  const SipKey salt{1, 2, 3};
  int first = 0, first_of_canary = 0, canary = 0, moved = 0;
  for (std::uint32_t i = 0; i < 20000; ++i) {
    const auto client = IpAddress::v4(0x7f010000 + i);
    const bool half = in_first_half(client, MonoTime{} + 10min), in_canary = sticky_bucket(salt, client, "web") < 2000;
    CHECK(half == in_first_half(client, MonoTime{} + 29min));
    first += half;
    canary += in_canary;
    first_of_canary += half && in_canary;
    moved += half != in_first_half(client, MonoTime{} + 31min);
  }
  CHECK(std::abs(first - 10000) < 4 * 71);          // 4 standard deviations
  CHECK(std::abs(moved - 10000) < 4 * 71);
  CHECK(std::abs(2 * first_of_canary - canary) < 4 * 64);
}
