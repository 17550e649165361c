// kill -9 at every write of the journal, before and after it is durable, and at every message; two controllers on one store.
#include "libnlb/store/election.hpp"
#include "tests/integration/deploy/world.hpp"

using namespace nlb;
using namespace nlb::deploy;
using namespace nlb::deploy::test;

namespace {

constexpr int bake_seconds = 5;

enum class Moment { write, message };

// Runs one rollout that dies at the n-th write or message; false: it ended before there was an n-th one.
bool run_with_crash(Moment moment, std::size_t at, bool after, bool bad) {
  World world;
  world.forwarders.emplace_back("edge-1");
  world.forwarders.emplace_back("edge-2");
  world.open();
  REQUIRE(world.init().accepted());
  REQUIRE(world.second().has_value());
  if (bad) world.versions["v2"].failing = 0.2;
  if (moment == Moment::write) world.store.crash_at = at;
  else world.crash_at_message = at;
  world.store.after = world.after_message = after;
  bool crashed = false;
  const auto survive = [&](auto&& work) {   // what a client or a service manager does: once more
    try {
      work();
    } catch (const Crash&) {
      crashed = true;
      world.store.crash_at.reset();
      world.crash_at_message.reset();
      world.open();
      work();
    }
  };
  survive([&] {
    const auto reply = world.controller->start(world.canary("start", {2000, 5000}, bake_seconds * 1000), world.now);
    REQUIRE(reply.has_value());
    REQUIRE(reply->accepted());
  });
  bool was_back = false;
  const std::string wanted = bad ? "rolled_back" : "promoted";
  for (int i = 0; i < 120 && world.phase() != wanted; ++i) {
    survive([&] {
      const auto done = world.second();
      REQUIRE(done.has_value());
    });
    const auto weight = world.forwarders[0].weight_of("v2");
    if (was_back) REQUIRE(weight == 0);
    was_back |= world.phase() == "rolled_back";
  }
  INFO("crash at " << (moment == Moment::write ? "write " : "message ") << at << (after ? ", after it was durable or sent" : ", before it was durable or sent"));
  REQUIRE(world.phase() == wanted);
  for (const auto& forwarder : world.forwarders) {
    REQUIRE(forwarder.weight_of("v2") == (bad ? 0u : 10000u));
    REQUIRE(forwarder.epoch() == world.epoch);
  }
  REQUIRE(world.controller->get("web", world.now)->revision() == 1);   // the repeated command began nothing twice
  return crashed;
}

}  // namespace

TEST_CASE("killed at every write of the journal, a rollout continues to its right end") {
  const bool bad = GENERATE(false, true);
  const bool after = GENERATE(false, true);
  std::size_t at = 1;
  while (run_with_crash(Moment::write, at, after, bad)) ++at;
  CHECK(at > 4);   // there were that many places to die at
}

TEST_CASE("killed at every message, a rollout continues to its right end") {
  const bool bad = GENERATE(false, true);
  const bool after = GENERATE(false, true);
  std::size_t at = 1;
  while (run_with_crash(Moment::message, at, after, bad)) ++at;
  CHECK(at > 10);
}

TEST_CASE("a controller that comes back bakes once more before it promotes") {
  World world;
  world.forwarders.emplace_back("edge-1");
  world.open();
  REQUIRE(world.init().accepted());
  REQUIRE(world.second().has_value());
  REQUIRE(world.controller->start(world.canary("start", {2000}, 20000), world.now)->accepted());
  REQUIRE(world.run_until("baking", 20) >= 0);
  for (int i = 0; i < 15; ++i) REQUIRE(world.second().has_value());
  REQUIRE(world.phase() == "baking");
  world.open();
  CHECK(world.forwarders[0].weight_of("v2") > 0);   // the weights stay as they were
  CHECK(world.run_until("promoted", 60) >= 17);   // the step less its first contact
}

TEST_CASE("of two controllers on one store the older is refused, by the store and by every forwarder") {
  World world;
  world.forwarders.emplace_back("edge-1");
  const auto clock = [&world] { return world.now; };
  store::Election first(*world.memory, {"leader", "first", std::chrono::seconds(10)}, clock);
  store::Election second(*world.memory, {"leader", "second", std::chrono::seconds(10)}, clock);
  REQUIRE(first.tick() == store::Election::Notice::won);
  world.epoch = static_cast<std::uint64_t>(first.token()) - 1;
  world.open(first.fence());
  REQUIRE(world.init().accepted());
  REQUIRE(world.second().has_value());
  auto old = std::move(world.controller);
  world.now += std::chrono::seconds(30);            // it was stopped, and its lease ended
  REQUIRE(second.tick() == store::Election::Notice::won);
  world.epoch = static_cast<std::uint64_t>(second.token()) - 1;
  world.open(second.fence());
  REQUIRE(world.controller->start(world.canary("start", {2000}, 1000), world.now)->accepted());
  REQUIRE(world.second().has_value());
  const auto late = old->start(world.canary("late", {5000}, 1000), world.now);   // it wakes up
  REQUIRE_FALSE(late.has_value());
  CHECK(late.error().kind == ErrorKind::conflict);
  v1::Split stale;
  REQUIRE(stale.ParseFromString(world.published.at("splits/web")));
  world.forwarders[0].take(stale, static_cast<std::uint64_t>(first.token()));
  CHECK(world.forwarders[0].refused == 1);
  CHECK(world.forwarders[0].epoch() == static_cast<std::uint64_t>(second.token()));
}
