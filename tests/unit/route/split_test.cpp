#include "libnlb/core/sticky.hpp"
#include "tests/unit/route/fleet.hpp"

using namespace nlb;
using namespace nlb::route;
using namespace nlb::route::test;

namespace {
struct Canary : Fleet {
  Canary() {
    for (auto [name, version] : {std::pair{"old1", "v1"}, {"old2", "v1"}, {"new1", "v2"}}) add(name).version = version;
  }
  void split(std::uint32_t canary, SplitSticky sticky = SplitSticky::client) {
    input.splits = {{"http", {{"v2", canary}, {"v1", 10000 - canary}}, sticky, SipKey{1, 2, 3}, 7}};
    build();
  }
  std::string version(std::uint32_t client) {
    auto p = pick(client * 2654435761u);
    return p ? p.slot->identity.version : std::string(to_string(p.failure));
  }
};
}  // namespace

TEST_CASE("without a split all versions share") {
  Canary fleet;
  fleet.build();
  CHECK(chi_square(fleet.counts(9000), {{"old1", 1}, {"old2", 1}, {"new1", 1}}) < 13.8);
}

TEST_CASE("a split gives each version its share, and each client always the same version") {
  Canary fleet;
  fleet.split(2500);
  int canary = 0;
  for (std::uint32_t c = 0; c < 8000; ++c) {
    const auto v = fleet.version(c);
    REQUIRE(v == fleet.version(c));
    canary += v == "v2";
  }
  CHECK(canary == Approx(2000).margin(130));   // 3.3 standard deviations
  CHECK(fleet.table->service(0).split_generation == 7);
}

TEST_CASE("a growing share only moves clients to the canary, and agrees with the bucket") {
  Canary fleet;
  const std::uint32_t clients = 2000;
  std::vector<bool> before(clients, false);
  for (std::uint32_t weight : {0u, 1u, 100u, 1000u, 5000u, 9999u, 10000u}) {
    fleet.split(weight);
    for (std::uint32_t c = 0; c < clients; ++c) {
      const bool canary = fleet.version(c) == "v2";
      REQUIRE((canary || !before[c]));
      REQUIRE(canary == (sticky_bucket(SipKey{1, 2, 3}, IpAddress::v4(c * 2654435761u), "http") < weight));
      before[c] = canary;
    }
  }
}

TEST_CASE("another salt chooses other clients") {
  const auto a = SipKey{1}, b = SipKey{2};
  int both = 0;
  for (std::uint32_t c = 0; c < 10000; ++c)
    both += sticky_bucket(a, IpAddress::v4(c), "web") < 1000 && sticky_bucket(b, IpAddress::v4(c), "web") < 1000;
  CHECK(both == Approx(100).margin(40));
}

TEST_CASE("per connection, a client sees both versions") {
  Canary fleet;
  fleet.split(5000, SplitSticky::connection);
  int canary = 0;
  for (int i = 0; i < 2000; ++i) canary += fleet.version(1) == "v2";
  CHECK(canary == Approx(1000).margin(80));
}

TEST_CASE("a version without usable modules is replaced by another and counted, unless that is forbidden") {
  Canary fleet;
  fleet.input.modules[2].state.health = registry::Health::unhealthy;
  fleet.split(10000);
  CHECK(fleet.version(1) == "v1");
  CHECK(fleet.table->service(0).state->version_fallbacks == 1);
  const auto p = fleet.pick();
  CHECK(p.why.fell_back);
  fleet.options().fallback_versions = false;
  fleet.build();
  CHECK(fleet.version(1) == "none_healthy");
}

TEST_CASE("versions that the split doesn't name get nothing but what falls back to them") {
  Canary fleet;
  fleet.add("other").version = "v3";
  fleet.split(5000);
  CHECK(fleet.counts(2000)["other"] == 0);
  for (std::size_t i = 0; i < 3; ++i) fleet.input.modules[i].state.health = registry::Health::unhealthy;
  fleet.build();
  CHECK(fleet.pick().slot->identity.name == "other");
}

TEST_CASE("a split without any weight is ignored with a warning; weights of another sum are scaled") {
  Canary fleet;
  fleet.input.splits = {{"http", {{"v1", 0}, {"v2", 0}}, SplitSticky::client, {}, 1}};
  fleet.build();
  CHECK(fleet.table->warnings().size() == 1);
  CHECK(fleet.pick());
  fleet.input.splits = {{"http", {{"v2", 1}, {"v1", 1}}, SplitSticky::connection, {}, 2}};
  fleet.build();
  CHECK(fleet.counts(2000)["new1"] == Approx(1000).margin(90));
}
