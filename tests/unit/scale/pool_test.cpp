#include <catch2/catch.hpp>

#include "libnlb/scale/pool.hpp"

using namespace nlb;
using namespace nlb::scale;

namespace {

using State = ReplicaSeen::State;
MonoTime at(double seconds) { return MonoTime{} + from_seconds(1000 + seconds); }

Pool pool_of(std::uint32_t n) {   // r1 ... rn, registered and ready
  Pool pool;
  std::vector<ReplicaSeen> seen;
  for (std::uint32_t i = 1; i <= n; ++i) {
    const auto id = "r" + std::to_string(i);
    seen.push_back({State::starting, id, "127.0.0.1:" + std::to_string(9000 + i), 1s});
    pool.module({id, "", "", true, false});
  }
  pool.observed(seen, n, at(0));
  return pool;
}

}  // namespace

TEST_CASE("ordered is what the target wants less what is drained; ready is what registered") {
  auto pool = pool_of(3);
  CHECK(pool.counts().ordered == 3);
  CHECK(pool.counts().ready == 3);
  pool.drain("r2", DrainKind::spare, 30s, "fewer", at(0));
  CHECK(pool.counts().ordered == 2);
  CHECK(pool.counts().ready == 2);
  CHECK(pool.counts().live == 3);
  pool.module({"r1", "", "", false, false});
  CHECK(pool.counts().ready == 1);
}

TEST_CASE("a module belongs to its replica by name, by label, or by address") {
  Pool pool;
  pool.observed({{State::starting, "r1", "127.0.0.1:9001", 1s}, {State::starting, "r2", "127.0.0.1:9002", 1s}}, 2, at(0));
  pool.module({"web-a", "", "127.0.0.1:9001", true, false});
  pool.module({"web-b", "r2", "", true, false});
  CHECK(pool.counts().ready == 2);
  CHECK(pool.replica_named("web-a") == "r1");
  CHECK(pool.replica_named("web-b") == "r2");
  CHECK_FALSE(pool.replica_named("web-c"));
}

TEST_CASE("who goes: what failed, what never served, then the fewest sessions; who is drained isn't chosen again") {
  auto pool = pool_of(4);
  for (int i = 1; i <= 4; ++i) pool.sessions("edge", "r" + std::to_string(i), static_cast<std::uint64_t>(10 - i), at(0));
  CHECK(pool.choose(2, at(1)) == std::vector<std::string>{"r4", "r3"});
  pool.drain("r4", DrainKind::spare, 30s, "", at(1));
  CHECK(pool.choose(1, at(1)) == std::vector<std::string>{"r3"});
  pool.module_gone("r1");
  CHECK(pool.choose(1, at(1)) == std::vector<std::string>{"r1"});
  CHECK(pool.choose(9, at(1)).size() == 3);
}

TEST_CASE("a drained replica is removable when every forwarder has seen it empty after the drain, or at its deadline") {
  auto pool = pool_of(2);
  pool.sessions("a", "r1", 0, at(0));
  pool.sessions("b", "r1", 2, at(0));
  pool.drain("r1", DrainKind::spare, 30s, "", at(0));
  CHECK(pool.removable(at(5)).empty());
  pool.sessions("a", "r1", 0, at(5));
  pool.sessions("b", "r1", 0, at(1));                  // from before all had heard of the drain
  CHECK(pool.removable(at(5)).empty());
  pool.sessions("b", "r1", 0, at(5));
  CHECK(pool.removable(at(5)) == std::vector<std::string>{"r1"});
  pool.sessions("b", "r1", 1, at(6));
  CHECK(pool.removable(at(6)).empty());
  CHECK(pool.removable(at(30)) == std::vector<std::string>{"r1"});
  pool.removing("r1", true);
  CHECK(pool.removable(at(31)).empty());
  CHECK_FALSE(pool.call_back("r1"));                   // too late
  pool.removed("r1");
  CHECK(pool.counts().ordered == 1);
}

TEST_CASE("with nobody to tell about sessions only the deadline removes") {
  auto pool = pool_of(1);
  pool.drain("r1", DrainKind::spare, 30s, "", at(0));
  CHECK(pool.removable(at(29)).empty());
  CHECK(pool.removable(at(30)).size() == 1);
}

TEST_CASE("a replica that never served goes at once") {
  Pool pool;
  pool.observed({{State::starting, "r1", "", 1s}}, 1, at(0));
  pool.drain("r1", DrainKind::spare, 30s, "", at(0));
  CHECK(pool.removable(at(0)).size() == 1);
}

TEST_CASE("called back: the youngest drains first, at most as many as asked for") {
  auto pool = pool_of(3);
  pool.drain("r1", DrainKind::spare, 30s, "", at(0));
  pool.drain("r2", DrainKind::spare, 30s, "", at(5));
  CHECK(pool.call_back(1) == std::vector<std::string>{"r2"});
  CHECK(pool.call_back(5) == std::vector<std::string>{"r1"});
  CHECK(pool.counts().ordered == 3);
}

TEST_CASE("one that somebody named is only called back by name") {
  auto pool = pool_of(3);
  pool.drain("r1", DrainKind::named, 30s, "it is sick", at(0));
  pool.drain("r2", DrainKind::spare, 30s, "fewer", at(0));
  CHECK(pool.call_back(2) == std::vector<std::string>{"r2"});
  CHECK(pool.counts().ordered == 2);
  CHECK(pool.call_back("r1"));
  CHECK(pool.counts().ordered == 3);
}

TEST_CASE("how long a start took is told once, when the replica registers") {
  Pool pool;
  pool.observed({{State::starting, "r1", "", 2s}}, 1, at(0));
  CHECK(pool.newly_ready(at(1)).empty());
  CHECK(pool.stuck(10s).empty());
  pool.observed({{State::starting, "r1", "", 12s}}, 1, at(10));
  CHECK(pool.stuck(10s) == std::vector<std::string>{"r1"});
  pool.module({"r1", "", "", true, false});
  const auto ready = pool.newly_ready(at(11));
  REQUIRE(ready.size() == 1);
  CHECK(ready[0].second == 13s);
  CHECK(pool.newly_ready(at(12)).empty());
}

TEST_CASE("whom we drain is called back although the registry says that it drains; whom somebody else drains doesn't serve") {
  auto pool = pool_of(3);
  pool.drain("r2", DrainKind::spare, 30s, "fewer", at(0));
  pool.module({"r2", "", "", true, true});                       // the registry obeyed
  pool.module({"r3", "", "", true, true});                       // an operator's
  CHECK(pool.counts().ready == 1);
  CHECK(pool.call_back(2) == std::vector<std::string>{"r2"});
  pool.module({"r2", "", "", true, false});
  CHECK(pool.counts().ready == 2);
}

TEST_CASE("a drain is told by the module's name, also before the target has been seen again") {
  Pool pool;
  pool.module({"web-a", "r1", "127.0.0.1:9001", true, true});
  CHECK(pool.module_name("r1") == "web-a");
  CHECK(pool.module_name("r2") == "r2");
}
