#include "libnlb/capture/flow_table.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

#include "libnlb/core/rng.hpp"
#include "tests/unit/capture/talk.hpp"

using namespace nlb;
using namespace nlb::capture;
using namespace nlb::capture::test;

namespace {

constexpr std::string_view request = "GET /a/rather/long/path HTTP/1.1\r\nHost: www.example\r\n\r\n";
constexpr std::uint8_t data = TcpFlags::psh | TcpFlags::ack;

std::vector<Segment> plus(std::vector<Segment> a, const std::vector<Segment>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

// Cuts `text` at random into pieces, some twice, some overlapping their neighbours, in random order.
std::vector<Segment> scattered(const Talk& talk, std::string_view text, Rng& rng) {
  std::vector<Segment> pieces;
  for (std::size_t at = 0; at < text.size();) {
    const auto length = std::min<std::size_t>(1 + rng.below(12), text.size() - at);
    const auto before = std::min<std::size_t>(rng.below(4), at);
    const auto after = std::min<std::size_t>(rng.below(4), text.size() - at - length);
    for (auto copies = 1 + rng.below(2); copies > 0; --copies)
      pieces.push_back(talk.segment(true, talk.client.next + static_cast<std::uint32_t>(at - before), data,
                                    text.substr(at - before, before + length + after)));
    at += length;
  }
  for (std::size_t i = pieces.size(); i > 1; --i) std::swap(pieces[i - 1], pieces[rng.below(i)]);
  return pieces;
}

}  // namespace

TEST_CASE("a conversation gives one flow with its counts, its client and who spoke first") {
  Talk talk;
  auto segments = talk.handshake();
  segments.push_back(talk.say(true, request));
  segments.push_back(talk.say(false, "HTTP/1.1 200 OK\r\n\r\n"));
  const auto flows = run(segments);
  REQUIRE(flows.size() == 1);
  CHECK(flows[0].protocol == Protocol::http);
  CHECK(flows[0].start_seen);
  CHECK(flows[0].client_port == 50000);
  CHECK(flows[0].spoke_first == flows[0].client);
  CHECK(flows[0].packets[0] == 3);
  CHECK(flows[0].packets[1] == 2);
  CHECK(flows[0].bytes[0] == request.size());
  CHECK(flows[0].bytes[1] == 19);
}

TEST_CASE("any cut, order, repetition and overlap of the same bytes gives the same verdict, across the sequence wrap too") {
  const auto seed = GENERATE(range(1, 200));
  INFO("seed " << seed);
  Rng rng(static_cast<std::uint64_t>(seed));
  Talk talk;
  talk.client.next = seed % 2 == 0 ? 1000 : 0u - static_cast<std::uint32_t>(rng.below(70));
  auto whole = talk.handshake();
  const auto pieces = scattered(talk, request, rng);
  const auto expected = run(plus(whole, {talk.segment(true, talk.client.next, data, request)}));
  const auto flows = run(plus(whole, pieces));
  REQUIRE(flows.size() == 1);
  CHECK(flows[0].protocol == Protocol::http);
  CHECK(flows[0].protocol == expected[0].protocol);
  CHECK(flows[0].decided_at_byte == expected[0].decided_at_byte);
}

TEST_CASE("data on a SYN counts from the first byte behind it") {
  Talk talk;
  auto segments = std::vector{talk.say(true, request.substr(0, 10), TcpFlags::syn), talk.say(false, {}, TcpFlags::syn | TcpFlags::ack)};
  segments.push_back(talk.say(true, request.substr(10)));
  CHECK(run(segments)[0].protocol == Protocol::http);
}

TEST_CASE("a keep-alive probe's byte before the stream is no part of it") {
  Talk talk;
  auto segments = talk.handshake();
  segments.push_back(talk.segment(true, talk.client.next - 1, TcpFlags::ack, "\0"));
  segments.push_back(talk.segment(true, talk.client.next - 1, TcpFlags::ack, "x"));
  segments.push_back(talk.say(true, request));
  CHECK(run(segments)[0].protocol == Protocol::http);
}

TEST_CASE("of two different copies of a byte the first one counts") {
  Talk talk;
  auto segments = talk.handshake();
  segments.push_back(talk.segment(true, talk.client.next, data, "GET /"));
  segments.push_back(talk.segment(true, talk.client.next, data, "XXXXX"));
  segments.push_back(talk.segment(true, talk.client.next + 5, data, request.substr(5)));
  CHECK(run(segments)[0].protocol == Protocol::http);
}

TEST_CASE("a flow that was running already is marked, and judged by a first payload that opens a message") {
  Talk talk;
  const auto opened = run({talk.segment(true, 5, data, request)});
  CHECK_FALSE(opened[0].start_seen);
  CHECK(opened[0].protocol == Protocol::http);
  CHECK(opened[0].client_port == 50000);
  const auto middle = run({talk.segment(true, 5, data, "and so on\r\n\r\n"), talk.segment(true, 18, data, request)});
  CHECK(middle[0].protocol == Protocol::unknown);
  const auto probed = run({talk.segment(true, 4, TcpFlags::ack, "x"), talk.segment(true, 5, data, request)});
  CHECK(probed[0].protocol == Protocol::http);
}

TEST_CASE("where only the server was captured its answer names the protocol and the client") {
  Talk talk;
  const auto flows = run({talk.segment(false, 5, data, "HTTP/1.1 200 OK\r\nServer: x\r\n\r\n")});
  CHECK(flows[0].protocol == Protocol::http);
  CHECK(flows[0].client_port == 50000);
}

TEST_CASE("SMTP's QUIT is not Redis's, since the server greeted in words") {
  Talk talk;
  auto segments = talk.handshake();
  segments.push_back(talk.say(false, "220 mail.example ESMTP\r\n"));
  segments.push_back(talk.say(true, "QUIT\r\n"));
  CHECK(run(segments)[0].protocol == Protocol::unknown);
  Talk other;
  segments = other.handshake();
  segments.push_back(other.say(true, "PING\r\n"));
  segments.push_back(other.say(false, "+PONG\r\n"));
  CHECK(run(segments)[0].protocol == Protocol::redis);
}

TEST_CASE("a SYN with another initial sequence number starts a new flow, a repeated one does not") {
  Talk talk;
  auto segments = talk.handshake();
  segments.push_back(segments[0]);
  segments.push_back(talk.say(true, request));
  Talk again = talk;
  again.client.next = 777777;
  segments = plus(segments, again.handshake());
  segments.push_back(again.say(true, "PING\r\n"));
  const auto flows = run(segments);
  REQUIRE(flows.size() == 2);
  CHECK(flows[0].protocol == Protocol::http);
  CHECK(flows[0].packets[0] == 4);
  CHECK(flows[1].protocol == Protocol::redis);
}

TEST_CASE("of several SYN-ACKs that disagree the one that the data follows counts") {
  Talk talk;
  auto segments = talk.handshake();
  segments.insert(segments.begin() + 2, talk.segment(false, 123456, TcpFlags::syn | TcpFlags::ack));
  segments[2].acknowledgement = segments[1].acknowledgement;
  segments.push_back(talk.say(false, std::string_view("\x2c\0\0\0\x0a" "8.0.36\0\7\0\0\0" "12345678\0\xff\xff\x21\2\0\xff\xff\x15\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 48)));
  const auto flows = run(segments);
  REQUIRE(flows.size() == 1);
  CHECK(flows[0].protocol == Protocol::mysql);
}

TEST_CASE("the table holds flows_max flows; the one unused for longest gives way and is counted") {
  FlowOptions options;
  options.flows_max = 3;
  std::vector<Ended> gone;
  FlowTable table(options, [&](const Flow& f) { gone.push_back(ended(f)); });
  const auto syn = [](std::uint16_t port) {
    Talk talk;
    talk.client.port = port;
    return talk.say(true, {}, TcpFlags::syn);
  };
  for (const std::uint16_t port : {std::uint16_t{1}, std::uint16_t{2}, std::uint16_t{3}}) table.add(syn(port), port);
  table.add(syn(1), 10);   // the same SYN again: flow 1 was busy since
  table.add(syn(4), 11);
  REQUIRE(gone.size() == 1);
  CHECK(gone[0].client_port == 2);
  CHECK(table.evicted() == 1);
  CHECK(table.open() == 3);
  table.finish();
  CHECK(gone.size() == 4);
  CHECK(table.open() == 0);
}

TEST_CASE("closed flows end after their linger, idle ones after theirs, and a hundred thousand leave no trace") {
  std::size_t gone = 0;
  FlowTable table({}, [&](const Flow&) { ++gone; });
  std::int64_t now = 0;
  std::size_t most = 0;
  for (std::uint32_t i = 0; i < 100'000; ++i) {
    Talk talk;
    talk.client.port = static_cast<std::uint16_t>(i);
    talk.client.ip = IpAddress::v4(0x0a010000 + i / 65536);
    for (const auto& segment : talk.handshake()) table.add(segment, now += 1'000'000);
    table.add(talk.say(true, request), now += 1'000'000);
    table.add(talk.say(true, {}, TcpFlags::rst), now += 1'000'000);
    most = std::max(most, table.open());
  }
  CHECK(most < 1200);   // 5 ms a flow, 5 s of linger
  CHECK(gone + table.open() == 100'000);
  table.expire(now + 2 * FlowOptions{}.idle_ns);
  CHECK(gone == 100'000);
}
