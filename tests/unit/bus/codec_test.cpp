// The header's golden bytes, the rules of version skew, and decoding of anything at all.
#include <catch2/catch.hpp>

#include "libnlb/bus/codec.hpp"
#include "libnlb/bus/codec_sync.hpp"
#include "libnlb/bus/codec_topic.hpp"
#include "libnlb/core/hash.hpp"
#include "libnlb/core/rng.hpp"

using namespace nlb;
using namespace nlb::bus;

namespace {

const Header golden{1, tombstone | beat, 0x0102030405060708, 0x1112131415161718, 0x2122232425262728, 0x3132333435363738, 0x41424344, 0xe3069283};
constexpr auto golden_hex =
    "4e4c4201" "06000000" "0807060504030201" "1817161514131211" "2827262524232221" "3837363534333231" "44434241" "839206e3";

std::vector<std::uint8_t> bytes_of(const Header& header) {
  const auto encoded = encode(header);
  return {encoded.begin(), encoded.end()};
}

}  // namespace

TEST_CASE("a header has its golden 48 bytes and reads back") {
  const auto bytes = encode(golden);
  CHECK(bytes.size() == 48);
  CHECK(to_hex(bytes) == golden_hex);
  REQUIRE(decode_header(bytes).has_value());
  CHECK(*decode_header(bytes) == golden);
}

TEST_CASE("three frames read back as one message") {
  Header header;
  header.seq = 5;
  header.payload_crc = crc32c(as_bytes("123456789"));
  const auto message = decode(as_bytes("modules/web/web-1"), encode(header), as_bytes("123456789"));
  REQUIRE(message.has_value());
  CHECK(message->topic == "modules/web/web-1");
  CHECK(*message->payload == "123456789");
  CHECK(message->header == header);
}

TEST_CASE("each kind of damage has its own name") {
  const Header header{.payload_crc = crc32c(as_bytes("x"))};
  const auto frame = bytes_of(header);
  const auto topic = as_bytes("events");
  CHECK(decode(topic, Bytes(frame).first(47), as_bytes("x")).error() == DecodeError::short_header);
  CHECK(decode(topic, frame, as_bytes("y")).error() == DecodeError::bad_crc);
  CHECK(decode(as_bytes("a//b"), frame, as_bytes("x")).error() == DecodeError::bad_topic);
  auto changed = frame;
  changed[0] = 'M';
  CHECK(decode(topic, changed, as_bytes("x")).error() == DecodeError::bad_magic);
  changed = frame;
  changed.push_back(0);
  CHECK(decode(topic, changed, as_bytes("x")).error() == DecodeError::long_header);
}

TEST_CASE("a newer version is read as far as it is known, unless it must be understood") {
  Header header{.version = 2, .flags = 1u << 20, .seq = 9};
  auto longer = bytes_of(header);
  longer.resize(64);
  REQUIRE(decode_header(longer).has_value());
  CHECK(decode_header(longer)->seq == 9);
  header.flags |= must_understand;
  CHECK(decode_header(encode(header)).error() == DecodeError::not_understood);
  header = {.flags = must_understand | 1u << 20};
  CHECK(decode_header(encode(header)).error() == DecodeError::not_understood);
  header = {.flags = must_understand};
  CHECK(decode_header(encode(header)).has_value());
}

TEST_CASE("any bytes decode to a message or a reason, and every flipped bit of a payload is noticed") {
  Rng rng(1);
  for (int i = 0; i < 20000; ++i) {
    std::vector<std::uint8_t> frame(rng.below(64)), payload(rng.below(32));
    for (auto& b : frame) b = static_cast<std::uint8_t>(rng());
    for (auto& b : payload) b = static_cast<std::uint8_t>(rng());
    if (frame.size() > 3 && rng.below(2) == 0) frame[0] = 'N', frame[1] = 'L', frame[2] = 'B', frame[3] = 1;
    const auto header = decode_header(frame);
    if (header && header->version == 1) CHECK(bytes_of(*header) == frame);
  }
  std::string text = "whole state of one key";
  const auto frame = encode(Header{.payload_crc = crc32c(as_bytes(text))});
  for (std::size_t bit = 0; bit < text.size() * 8; ++bit) {
    auto damaged = text;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    CHECK(decode(as_bytes("events"), frame, as_bytes(damaged)).error() == DecodeError::bad_crc);
  }
}

TEST_CASE("topics are made, taken apart and judged") {
  CHECK(make_topic("traffic", {"edge-1", "web", "v1"}) == "traffic/edge-1/web/v1");
  CHECK(class_of("traffic/edge-1/web/v1") == "traffic");
  CHECK(topic_part("traffic/edge-1/web/v1", 2) == "web");
  CHECK(topic_part("traffic/edge-1", 5).empty());
  CHECK(is_guarded("splits"));
  CHECK_FALSE(is_guarded("traffic"));
  CHECK(conflict_of("splits") == Conflict::greater_epoch);
  CHECK(conflict_of("modules") == Conflict::first_named);
  CHECK(find_class("nonsense") == nullptr);
  for (const auto* bad : {"", "/a", "a/", "a//b", "a b", "a\n"}) CHECK_FALSE(is_topic(bad));
  CHECK_FALSE(is_topic(std::string(513, 'a')));
}

TEST_CASE("the snapshot hash tells topics, numbers, tombstones and payloads apart") {
  const Update update{"a/b", make_payload("xy"), 7, 0, {}};
  const auto base = sync_hash(update, 0);
  auto other = update;
  other.topic = "a/c";
  CHECK(sync_hash(other, 0) != base);
  other = update;
  other.seq = 8;
  CHECK(sync_hash(other, 0) != base);
  other = update;
  other.payload = make_payload("");
  CHECK(sync_hash(other, 0) != base);
  other.payload = nullptr;
  CHECK(sync_hash(other, 0) != sync_hash({"a/b", make_payload(""), 7, 0, {}}, 0));
  CHECK(sync_hash(update, 1) != base);
}
