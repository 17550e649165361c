#include "libnlb/route/outlier.hpp"

#include <thread>

#include "tests/unit/route/fleet.hpp"

using namespace nlb;
using namespace nlb::route;
using namespace nlb::route::test;

namespace {
struct Patients : Fleet {
  explicit Patients(std::size_t n, std::uint32_t percent_max = 10) {
    options().eject = {3, 30s, percent_max};
    add_many(n);
    build();
  }
  Effect bad(const std::string& name) { return report(table->service(0), state(name), Outcome::connect_failed, now, 0); }
  Effect ok(const std::string& name) { return report(table->service(0), state(name), Outcome::ok, now, 0); }
  Effect fail(const std::string& name, int times = 3) {
    Effect last = Effect::nothing;
    for (int i = 0; i < times; ++i) last = bad(name);
    return last;
  }
};
}  // namespace

TEST_CASE("failures in a row eject a module, a good answer between them starts anew") {
  Patients fleet(4);
  CHECK(fleet.fail("m0", 2) == Effect::nothing);
  CHECK(fleet.ok("m0") == Effect::nothing);
  CHECK(fleet.fail("m0", 2) == Effect::nothing);
  CHECK(fleet.bad("m0") == Effect::ejected);
  CHECK(fleet.bad("m0") == Effect::nothing);
  CHECK(fleet.counts(1000)["m0"] == 0);
  CHECK(fleet.state("m0").cell(0).connect_failures.read() == 6);
}

TEST_CASE("a connection alone doesn't end a series: resets behind it count on") {
  Patients fleet(4);
  for (int i = 0; i < 3; ++i) {
    report(fleet.table->service(0), fleet.state("m0"), Outcome::connected, fleet.now, 0);
    report(fleet.table->service(0), fleet.state("m0"), Outcome::early_reset, fleet.now, 0);
  }
  CHECK(fleet.state("m0").ejected(fleet.now));
}

TEST_CASE("an ejected module is tried again, recovers with one good answer, and goes at once with a bad one") {
  Patients fleet(4);
  fleet.fail("m0");
  fleet.now += 30s;
  CHECK_FALSE(fleet.state("m0").ejected(fleet.now));
  CHECK(fleet.bad("m0") == Effect::ejected);
  fleet.now += 59s;
  CHECK(fleet.state("m0").ejected(fleet.now));
  fleet.now += 1s;
  CHECK_FALSE(fleet.state("m0").ejected(fleet.now));
  CHECK(fleet.ok("m0") == Effect::recovered);
  CHECK(fleet.bad("m0") == Effect::nothing);
}

TEST_CASE("the back-off grows to ten periods and shrinks with good time") {
  Patients fleet(4);
  fleet.fail("m0");
  auto& m0 = fleet.state("m0");
  for (int i = 2; i < 20; ++i) {
    fleet.now = MonoTime(Duration(m0.ejected_until.load()));
    REQUIRE(fleet.bad("m0") == Effect::ejected);
    REQUIRE(Duration(m0.ejected_until.load()) - fleet.now.time_since_epoch() == 30s * std::min(i, 10));
  }
  fleet.now = MonoTime(Duration(m0.ejected_until.load()));
  fleet.ok("m0");
  fleet.now += 8 * 30s;
  CHECK(fleet.fail("m0") == Effect::ejected);
  CHECK(m0.ejections == 3);
}

TEST_CASE("no more than the allowed share is ejected, but always one") {
  Patients few(3), many(40, 10);
  CHECK(few.fail("m0") == Effect::ejected);
  CHECK(few.fail("m1") == Effect::spared);
  int ejected = 0;
  for (int i = 0; i < 40; ++i) ejected += many.fail("m" + std::to_string(i)) == Effect::ejected;
  CHECK(ejected == 4);
}

TEST_CASE("when more than half is ejected, ejections are ignored") {
  Patients fleet(4, 100);
  fleet.fail("m0");
  fleet.fail("m1");
  CHECK(fleet.counts(1000)["m0"] == 0);
  CHECK_FALSE(fleet.pick().why.panic);
  fleet.fail("m2");
  fleet.now += 15s;
  const auto p = fleet.pick();
  CHECK(p.why.panic);
  CHECK(fleet.table->service(0).state->panics >= 1);
  fleet.fail("m3");
  CHECK(fleet.pick());
  fleet.now += 60s;
  CHECK_FALSE(fleet.pick().why.panic);
}

TEST_CASE("a single module is never out of reach") {
  Patients fleet(1);
  CHECK(fleet.fail("m0") == Effect::ejected);
  CHECK(fleet.pick());
}

TEST_CASE("an ejected module among many is passed over by every picker") {
  for (const Picker picker : {Picker::least_conn, Picker::round_robin, Picker::random, Picker::p2c, Picker::hash, Picker::latency}) {
    Patients fleet(20);
    fleet.options().picker = picker;
    fleet.build();
    fleet.fail("m7");
    CHECK(fleet.counts(2000)["m7"] == 0);
  }
}

TEST_CASE("ejection can be switched off") {
  Patients fleet(4);
  fleet.options().eject.failures = 0;
  fleet.build();
  CHECK(fleet.fail("m0", 100) == Effect::nothing);
}

TEST_CASE("workers that see the same failures eject once") {
  Patients fleet(10);
  std::atomic<int> ejected{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) threads.emplace_back([&] { for (int i = 0; i < 100; ++i) ejected += fleet.fail("m0") == Effect::ejected; });
  fleet.roster.workers();
  for (auto& thread : threads) thread.join();
  CHECK(ejected == 1);
  CHECK(fleet.state("m0").ejected_total == 1);
}
