// What the detector answers to known bytes, and the rules that hold for any bytes: total, monotone, bounded.
#include <catch2/catch.hpp>

#include "corpus.hpp"
#include "libnlb/core/rng.hpp"
#include "libnlb/inspect/signatures.hpp"

using namespace nlb;
using namespace nlb::inspect;

namespace {

// "a|b" takes either; mysql-server is a match from the server, mysql-client no match without the greeting; a PROXY header is not for
// detect() and must not be taken for a protocol.
bool is_wanted(const std::string& want, const std::string& got) {
  if (want == "mysql-server") return got == "mysql";
  if (want == "mysql-client" || want == "proxy") return got == "unknown" || got == "more";
  return ("|" + want + "|").find("|" + got + "|") != std::string::npos;
}

void check_monotone(Bytes bytes, Speaker from) {
  Verdict last = detect(bytes.first(0), from);
  const bool socks = bytes.size() > 3 && from == Speaker::client && to_hex(bytes.first(3)) == "050100";
  for (std::size_t n = 1; n <= bytes.size(); ++n) {
    if (n == 3 && socks) continue;   // the one exception, named in detector.cpp
    const Verdict now = detect(bytes.first(n), from);
    const bool kept = last.answer == Answer::more || (now.answer == last.answer && now.protocol == last.protocol &&
                                                      now.decided_at_byte == last.decided_at_byte && now.rule == last.rule);
    const bool waited = last.answer != Answer::more || now.answer == Answer::more || n >= last.need_bytes;
    const bool sane = now.answer == Answer::more ? now.need_bytes > n : now.decided_at_byte > 0 && now.decided_at_byte <= n;
    const bool exact = last.answer != Answer::more || now.answer == Answer::more || now.decided_at_byte == n;
    if (!kept || !waited || !sane || !exact) {
      CAPTURE(to_hex(bytes.first(n)), n, name_of(last), name_of(now), last.need_bytes, now.decided_at_byte, rule(now.rule).name);
      REQUIRE(kept);
      REQUIRE(waited);
      REQUIRE(sane);
      REQUIRE(exact);
    }
    last = now;
  }
}

}  // namespace

TEST_CASE("every vector gets the answer it wants") {
  if (shared_vectors().empty()) WARN("no shared vectors: set NLB_SHARED to test with them too");
  REQUIRE(own_vectors().size() > 100);
  for (const auto& v : all_vectors()) {
    const auto verdict = detect(v.bytes, v.from);
    CAPTURE(v.name, v.want, name_of(verdict), verdict.decided_at_byte, rule(verdict.rule).name);
    CHECK(is_wanted(v.want, name_of(verdict)));
  }
}

TEST_CASE("a longer prefix never changes a match, never turns unknown into a match, and decides no earlier than announced") {
  for (const auto& v : all_vectors())
    for (const auto from : {Speaker::client, Speaker::server}) check_monotone(v.bytes, from);
}

TEST_CASE("the same holds for random bytes and for vectors with bytes changed") {
  Rng rng(20240611);
  const auto vectors = all_vectors();
  const std::string_view spice("\0\1\3\x16 \r\n/*$.HTTP", 15);
  for (int round = 0; round < 20000; ++round) {
    auto bytes = vectors[rng.below(vectors.size())].bytes;
    bytes.resize(std::min<std::size_t>(bytes.size(), 80));
    if (round % 4 == 0) bytes.assign(1 + rng.below(40), 0);
    const auto changes = round % 4 == 0 ? bytes.size() : 1 + rng.below(4);
    for (std::size_t i = 0; i < changes && !bytes.empty(); ++i)
      bytes[rng.below(bytes.size())] = static_cast<std::uint8_t>(rng.below(2) ? rng.below(256) : spice[rng.below(spice.size())]);
    check_monotone(bytes, round % 2 ? Speaker::server : Speaker::client);
  }
}

TEST_CASE("what is still open after detect_bytes_max is unknown") {
  std::string line = "OPTIONS /";
  line.resize(detect_bytes_max - 1, 'a');
  CHECK(detect(as_bytes(line)).answer == Answer::more);
  line += 'a';
  CHECK(detect(as_bytes(line)).answer == Answer::unknown);
  line += " HTTP/1.1\r\n";
  CHECK(detect(as_bytes(line)).answer == Answer::unknown);
}

TEST_CASE("a decision falls at the first byte that allows it") {
  CHECK(detect(as_bytes("PING\r\nPING\r\n")).decided_at_byte == 6);
  CHECK(detect(*from_hex("0000000804d2162f1603")).decided_at_byte == 8);
  CHECK(detect(as_bytes("OPTIONS * HTTP/1.1\r\n")).decided_at_byte == 18);
  CHECK(detect(as_bytes("*1\r\n$4\r\nPING\r\n")).decided_at_byte == 8);
  CHECK(detect({}).need_bytes == 1);
  CHECK(detect(*from_hex("0300")).need_bytes == 4);   // MongoDB's length is still possible
  CHECK(detect(*from_hex("030000ff")).need_bytes == 9);
}

TEST_CASE("a whole SOCKS5 greeting is unknown, and a MongoDB message of 261 bytes that starts alike is still found") {
  CHECK(detect(*from_hex("050100")).answer == Answer::unknown);
  CHECK(detect(*from_hex("05010000")).answer == Answer::more);
  CHECK(detect(*from_hex("050100000100000000000000dd0700000000000000")).protocol == Protocol::mongodb);
}

TEST_CASE("every rule has its words and its source") {
  for (const auto& r : rules().subspan(1)) {
    CHECK_FALSE(r.matches.empty());
    CHECK_FALSE(r.source.empty());
    CHECK(r.protocol != Protocol::unknown);
  }
}
