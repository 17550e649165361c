#include <catch2/catch.hpp>

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <numeric>
#include <string>
#include <vector>

#include "libnlb/relay/send_batch.hpp"

using namespace nlb;
using relay::Flow;
using relay::Ring;
using relay::SendBatch;

namespace {

struct Pair {
  int ends[2];
  Pair() { REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0); }
  ~Pair() {
    shut(0);
    shut(1);
  }
  void shut(int end) {
    if (ends[end] >= 0) close(ends[end]);
    ends[end] = -1;
  }
  std::string read_all() {
    std::string text, block(64 * 1024, 0);
    for (ssize_t n; (n = recv(ends[1], block.data(), block.size(), 0)) > 0;) text.append(block, 0, static_cast<std::size_t>(n));
    return text;
  }
  void fill() {
    const std::vector<std::uint8_t> block(4096);
    while (relay::send_once(ends[0], block) > 0) {}
  }
};

Bytes bytes_of(const std::string& text) { return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}; }

std::unique_ptr<Ring> open_ring(std::uint32_t sends_max) {
  auto ring = Ring::open(sends_max);
  if (!ring) WARN(ring.error().text);   // a kernel or a sandbox without it: there is nothing to test
  return ring ? std::move(*ring) : nullptr;
}

void put(SendBatch& batch, relay::Session& session, Flow flow, const std::string& text) {
  std::copy(text.begin(), text.end(), batch.room());
  batch.add(session, flow, text.size());
}

}  // namespace

TEST_CASE("the self-test agrees with what opening a ring says") { CHECK(relay::ring_works().has_value() == (open_ring(2) != nullptr)); }

TEST_CASE("sends of one call arrive in their order, time and again") {
  const auto ring = open_ring(8);
  if (!ring) return;
  Pair one, other;
  std::vector<std::string> texts(8);
  for (int turn = 0; turn < 100; ++turn) {
    std::string expected;
    std::vector<Ring::Send> sends;
    for (auto& text : texts) {
      text = std::to_string(turn * 8 + (&text - texts.data())) + ",";
      if (sends.size() % 2 == 0) expected += text;
      sends.push_back({(sends.size() % 2 == 0 ? one : other).ends[0], bytes_of(text)});
    }
    ring->send_all(sends);
    for (std::size_t i = 0; i < sends.size(); ++i) REQUIRE(sends[i].result == static_cast<std::int32_t>(texts[i].size()));
    REQUIRE(one.read_all() == expected);     // read in between: a socket takes only so many small chunks
    REQUIRE(!other.read_all().empty());
  }
}

TEST_CASE("a full, a half-full, a closed and a wrong socket answer at once, each for itself") {
  const auto ring = open_ring(8);
  if (!ring) return;
  Pair good, full, gone, narrow;
  full.fill();
  gone.shut(1);
  const std::string text = "after the others", much(8 << 20, 'x');
  std::vector<Ring::Send> sends = {{full.ends[0], bytes_of(text)}, {gone.ends[0], bytes_of(text)}, {-1, bytes_of(text)},
                                   {narrow.ends[0], bytes_of(much)}, {good.ends[0], bytes_of(text)}};
  ring->send_all(sends);
  CHECK(sends[0].result == -EAGAIN);
  CHECK(sends[1].result == -EPIPE);
  CHECK(sends[2].result == -EBADF);
  CHECK(sends[3].result > 0);
  CHECK(sends[3].result < static_cast<std::int32_t>(much.size()));
  CHECK(narrow.read_all().size() == static_cast<std::size_t>(sends[3].result));
  CHECK(sends[4].result == static_cast<std::int32_t>(text.size()));
  CHECK(good.read_all() == text);
}

TEST_CASE("a batch keeps chunks where they were read, knows whose they are, and is empty after it was sent") {
  auto ring = open_ring(SendBatch::sends_max);
  if (!ring) return;
  SendBatch batch(std::move(ring), 65536);
  Pair up, down;
  relay::Session session;
  session.module = up.ends[0];
  session.client = down.ends[0];
  std::string expected;
  while (!batch.full()) {
    const std::string text(1 + batch.size() * 61 % SendBatch::chunk_bytes_max, static_cast<char>('a' + batch.size() % 26));
    put(batch, session, Flow::up, text);
    expected += text;
  }
  CHECK(session.queued == bit(Flow::up));
  CHECK(batch.send_all().sends.size() == SendBatch::sends_max);
  CHECK(up.read_all() == expected);
  CHECK(session.queued == 0);
  CHECK(batch.empty());
  put(batch, session, Flow::down, "few");   // not worth the ring
  CHECK(batch.send_all().sends[0].result == 3);
  CHECK(down.read_all() == "few");
}
