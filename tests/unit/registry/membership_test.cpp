// Leases, drains, limits and names of the membership, one behaviour a case.
#include <catch2/catch.hpp>

#include "libnlb/registry/membership.hpp"
#include "tests/support/registry_records.hpp"

using namespace nlb;
using namespace nlb::registry;
using nlb::testing::record;

namespace {

constexpr MonoTime start{};
constexpr MonoTime at(Duration d) { return start + d; }

void pass(Membership& membership, Duration from, Duration to) {      // time passes as it does in the daemon: in small steps
  for (auto t = from; t <= to; t += 100ms) membership.tick(at(t));
}

Module process(std::string name, std::uint64_t incarnation) {
  auto module = record(std::move(name));
  module.incarnation = incarnation;
  return module;
}

struct Fixture {
  Membership membership{Limits{}, 7, start};
  Caller caller;
  Registered add(const Module& module, Duration now = 0s) {
    auto added = membership.add(module, caller, at(now));
    REQUIRE(added.has_value());
    membership.take_notices();
    return *added;
  }
  Phase phase(std::string_view id) { return membership.find(id)->module->state.phase; }
};

}  // namespace

TEST_CASE("a registration is announced once and waits for its first good check") {
  Membership membership({}, 7, start);
  const auto added = membership.add(record("web-1"), {}, start);
  REQUIRE(added.has_value());
  CHECK(added->created);
  auto notices = membership.take_notices();
  REQUIRE(notices.size() == 1);
  CHECK(notices[0].kind == Notice::Kind::added);
  CHECK_FALSE(is_routable(*notices[0].module));
  REQUIRE(membership.checked("web/web-1", {true, "", 1ms}).has_value());
  notices = membership.take_notices();
  REQUIRE(notices.size() == 1);
  CHECK(is_routable(*notices[0].module));
}

TEST_CASE("registering again renews, keeps the lease id and says nothing when nothing changed") {
  Fixture f;
  const auto first = f.add(record("web-1"));
  const auto again = f.membership.add(record("web-1"), {}, at(20s));
  REQUIRE(again.has_value());
  CHECK_FALSE(again->created);
  CHECK(again->lease_id == first.lease_id);
  CHECK(f.membership.take_notices().empty());
  pass(f.membership, 20s, 49s);
  CHECK(f.membership.size() == 1);
}

TEST_CASE("registering again with another weight is a change of the same member") {
  Fixture f;
  f.add(record("web-1"));
  auto heavier = record("web-1");
  heavier.weight = 200;
  REQUIRE(f.membership.add(heavier, {}, at(1s)).has_value());
  const auto notices = f.membership.take_notices();
  REQUIRE(notices.size() == 1);
  CHECK(notices[0].kind == Notice::Kind::changed);
  CHECK(notices[0].module->weight == 200);
  CHECK(f.membership.size() == 1);
}

TEST_CASE("the only module of a service goes when its lease ends, and not before") {
  Fixture f;
  f.add(record("web-1"));
  pass(f.membership, 0s, 29900ms);
  CHECK(f.membership.size() == 1);
  pass(f.membership, 30s, 30s);
  CHECK(f.membership.size() == 0);
  CHECK(f.membership.take_notices().back().kind == Notice::Kind::removed);
}

TEST_CASE("a beat renews the lease") {
  Fixture f;
  const auto added = f.add(record("web-1"));
  pass(f.membership, 0s, 29s);
  const auto beat = f.membership.heartbeat("web/web-1", added.lease_id, Load{}, at(29s));
  REQUIRE(beat.has_value());
  CHECK(beat->wish == Wish::none);
  pass(f.membership, 29s, 58900ms);
  CHECK(f.membership.size() == 1);
  pass(f.membership, 59s, 59s);
  CHECK(f.membership.size() == 0);
}

TEST_CASE("one silent module of many is suspect first and gone one beat interval later") {
  Fixture f;
  std::vector<Registered> all;
  for (int i = 0; i < 10; ++i) all.push_back(f.add(record("web-" + std::to_string(i))));
  for (auto t = 0s; t <= 45s; t += 1s) {
    pass(f.membership, t, t + 900ms);
    for (int i = 1; i < 10; ++i) REQUIRE(f.membership.heartbeat("web/web-" + std::to_string(i), all[i].lease_id, {}, at(t)).has_value());
    if (t == 31s) CHECK(f.phase("web/web-0") == Phase::suspect);
  }
  CHECK_FALSE(f.membership.find("web/web-0").has_value());
  CHECK(f.membership.size() == 9);
}

TEST_CASE("when many fall silent at once nobody is removed, and those that beat again are up again") {
  Fixture f;
  std::vector<Registered> all;
  for (int i = 0; i < 10; ++i) all.push_back(f.add(record("web-" + std::to_string(i))));
  pass(f.membership, 0s, 300s);
  REQUIRE(f.membership.size() == 10);
  for (int i = 0; i < 10; ++i) CHECK(f.phase("web/web-" + std::to_string(i)) == Phase::suspect);
  for (int i = 0; i < 9; ++i) REQUIRE(f.membership.heartbeat("web/web-" + std::to_string(i), all[i].lease_id, {}, at(300s)).has_value());
  CHECK(f.phase("web/web-0") == Phase::up);
  pass(f.membership, 300s, 311s);
  CHECK(f.membership.size() == 9);      // the others are back, so the one that isn't is gone
}

TEST_CASE("a suspect that fails its checks too goes, its neighbours stay") {
  Fixture f;
  for (int i = 0; i < 4; ++i) f.add(record("web-" + std::to_string(i)));
  pass(f.membership, 0s, 31s);
  for (int n = 0; n < 3; ++n) REQUIRE(f.membership.checked("web/web-0", {false, "refused", 1ms}).has_value());
  pass(f.membership, 31s, 200s);
  CHECK_FALSE(f.membership.find("web/web-0").has_value());
  CHECK(f.membership.size() == 3);
}

TEST_CASE("a registry that was stopped for a while blames nobody") {
  Fixture f;
  f.add(record("web-1"));
  pass(f.membership, 0s, 10s);
  f.membership.tick(at(100s));          // SIGSTOP, SIGCONT
  CHECK(f.membership.size() == 1);
  pass(f.membership, 100s, 129900ms);
  CHECK(f.membership.size() == 1);
  pass(f.membership, 130s, 131s);
  CHECK(f.membership.size() == 0);
}

TEST_CASE("who was suspect before a sleep of the registry is judged with its neighbours after it, not before them") {
  Fixture f;
  std::vector<Registered> all;
  for (int i = 0; i < 10; ++i) all.push_back(f.add(record("web-" + std::to_string(i))));
  pass(f.membership, 0s, 25s);
  for (int i = 1; i < 10; ++i) REQUIRE(f.membership.heartbeat("web/web-" + std::to_string(i), all[i].lease_id, {}, at(25s)).has_value());
  pass(f.membership, 25s, 31s);
  REQUIRE(f.phase("web/web-0") == Phase::suspect);
  f.membership.tick(at(100s));          // SIGSTOP, SIGCONT; and then the network is gone
  pass(f.membership, 100s, 200s);
  CHECK(f.membership.size() == 10);
}

TEST_CASE("a clock that stands still or goes back removes nobody") {
  Fixture f;
  f.add(record("web-1"));
  pass(f.membership, 0s, 20s);
  f.membership.tick(at(5s));
  f.membership.tick(at(20s));
  CHECK(f.membership.size() == 1);
}

TEST_CASE("of two processes with one name the newer wins and the older is told to stop") {
  Fixture f;
  auto old_process = record("web-1");
  old_process.incarnation = 100;
  const auto old_lease = f.add(old_process);
  auto new_process = old_process;
  new_process.incarnation = 200;
  const auto new_lease = f.add(new_process, 1s);
  CHECK(new_lease.lease_id != old_lease.lease_id);
  CHECK(f.membership.heartbeat("web/web-1", old_lease.lease_id, {}, at(2s))->wish == Wish::stop);
  CHECK(f.membership.heartbeat("web/web-1", new_lease.lease_id, {}, at(2s))->wish == Wish::none);
  const auto refused = f.membership.add(old_process, {}, at(3s));
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().kind == RefusalKind::older_incarnation);
  CHECK(f.membership.remove("web/web-1", old_lease.lease_id, {}, "", at(3s)).error().kind == RefusalKind::wrong_lease);
}

TEST_CASE("who takes over the name of a healthy module is as good until its first check, and that one decides") {
  for (const bool good : {true, false}) {
    Fixture f;
    f.add(record("web-1", 8001));
    REQUIRE(f.membership.checked("web/web-1", {true, {}, {}}));
    REQUIRE(is_routable(*f.membership.find("web/web-1")->module));
    f.add(record("web-1", 8002), 1s);
    CHECK(is_routable(*f.membership.find("web/web-1")->module));
    CHECK(f.membership.find("web/web-1")->module->data.port == 8002);
    REQUIRE(f.membership.checked("web/web-1", {good, "refused", {}}));
    CHECK(is_routable(*f.membership.find("web/web-1")->module) == good);
  }
  Fixture f;                                  // a name that nobody knew to be good is no recommendation
  f.add(record("web-1", 8001));
  f.add(record("web-1", 8002), 1s);
  CHECK_FALSE(is_routable(*f.membership.find("web/web-1")->module));
}

TEST_CASE("without an incarnation another address is a newer process") {
  Fixture f;
  const auto first = f.add(record("web-1", 8001));
  const auto second = f.add(record("web-1", 8002), 1s);
  CHECK(second.module->incarnation == first.module->incarnation + 1);
  CHECK(f.membership.heartbeat("web/web-1", first.lease_id, {}, at(2s))->wish == Wish::stop);
}

TEST_CASE("leaving with a drain takes no new sessions, is told so, and ends at the deadline or with the last session") {
  Fixture f;
  const auto a = f.add(record("web-1"));
  const auto b = f.add(record("web-2"));
  REQUIRE(f.membership.remove("web/web-1", a.lease_id, 5s, "upgrade", start).has_value());
  REQUIRE(f.membership.remove("web/web-2", b.lease_id, 5s, "upgrade", start).has_value());
  CHECK_FALSE(is_routable(*f.membership.find("web/web-1")->module));
  const auto beat = f.membership.heartbeat("web/web-1", a.lease_id, {}, at(1s));
  CHECK(beat->wish == Wish::drain);
  CHECK(beat->drain_remaining == Duration(4s));
  f.membership.sessions_ended("web/web-2");
  CHECK(f.membership.size() == 1);
  pass(f.membership, 0s, 5s);
  CHECK(f.membership.size() == 0);
}

TEST_CASE("an operator's drain survives a new registration and ends when cancelled") {
  Fixture f;
  f.add(record("web-1"));
  REQUIRE(f.membership.set_drain("web/web-1", true, "maintenance").has_value());
  auto restarted = record("web-1");
  restarted.incarnation = 99;
  CHECK(f.add(restarted, 1s).module->state.phase == Phase::draining);
  CHECK(f.membership.set_drain("web/web-1", false, "")->phase == Phase::up);
}

TEST_CASE("a restored member keeps its health, its lease id and a full lease") {
  Membership membership({}, 7, at(1000s));
  auto module = record("web-1");
  module.state.health = Health::healthy;
  membership.restore({module, 42, "caller", false}, at(1000s));
  CHECK(membership.take_notices().empty());
  CHECK(is_routable(*membership.find("web/web-1")->module));
  CHECK(membership.heartbeat("web/web-1", 42, {}, at(1001s))->wish == Wish::none);
  pass(membership, 1000s, 1030900ms);
  CHECK(membership.size() == 1);
}

TEST_CASE("who hasn't been heard since a restart or a sleep stays while its checks pass: its client may be backing off") {
  Membership membership({}, 7, at(1000s));
  auto module = record("web-1");
  module.state.health = Health::healthy;
  membership.restore({module, 42, "caller", false}, at(1000s));
  const auto phase = [&] { return membership.find("web/web-1")->module->state.phase; };
  pass(membership, 1000s, 1100s);
  REQUIRE(membership.size() == 1);
  CHECK(phase() == Phase::suspect);
  CHECK(is_routable(*membership.find("web/web-1")->module));

  SECTION("and is up again with its next beat; from then on its silence counts") {
    CHECK(membership.heartbeat("web/web-1", 42, {}, at(1100s)));
    CHECK(phase() == Phase::up);
    pass(membership, 1100s, 1131s);
    CHECK(membership.size() == 0);
  }
  SECTION("but goes when a check fails") {
    CHECK(membership.checked("web/web-1", {false, "refused", {}}));
    pass(membership, 1100s, 1111s);
    CHECK(membership.size() == 0);
  }
  SECTION("and goes when no client backs off for so long") {
    pass(membership, 1100s, 1000s + back_off_max + 11s);
    CHECK(membership.size() == 0);
  }
  SECTION("the same after a sleep of ours") {
    CHECK(membership.heartbeat("web/web-1", 42, {}, at(1100s)));
    membership.tick(at(1200s));
    pass(membership, 1200s, 1300s);
    REQUIRE(membership.size() == 1);
    CHECK(phase() == Phase::suspect);
  }
}

TEST_CASE("each limit refuses by its own kind and says what to do") {
  Limits limits;
  limits.modules_per_protocol_max = 2;
  limits.modules_per_caller_max = 3;
  limits.modules_max = 4;
  Membership membership(limits, 7, start);
  const auto add = [&](std::string name, Protocol protocol, std::string caller) {
    auto module = record(std::move(name));
    module.protocol = protocol;
    return membership.add(module, {std::move(caller), true, {}}, start);
  };
  REQUIRE(add("a", Protocol::http, "x").has_value());
  REQUIRE(add("b", Protocol::http, "x").has_value());
  const auto third_http = add("c", Protocol::http, "y");
  REQUIRE_FALSE(third_http.has_value());
  CHECK(third_http.error().kind == RefusalKind::protocol_full);
  CHECK(third_http.error().text ==
        "no room for another module: protocol http has its 2: remove one or raise registry.modules_per_protocol_max");
  REQUIRE(add("d", Protocol::redis, "x").has_value());
  CHECK(add("e", Protocol::mysql, "x").error().kind == RefusalKind::caller_full);
  REQUIRE(add("e", Protocol::mysql, "y").has_value());
  CHECK(add("f", Protocol::rtmp, "z").error().kind == RefusalKind::registry_full);
  CHECK(add("a", Protocol::http, "x").has_value());       // a renewal needs no room
  CHECK(membership.counters().refusals[static_cast<std::size_t>(RefusalKind::caller_full)] == 1);
}

TEST_CASE("a beat for an unknown module says register again") {
  Membership membership({}, 7, start);
  const auto beat = membership.heartbeat("web/none", 1, {}, start);
  REQUIRE_FALSE(beat.has_value());
  CHECK(beat.error().kind == RefusalKind::unknown_module);
  CHECK(beat.error().text == "heartbeat: module web/none is not known here: register (again)");
  CHECK(membership.report("web/none", 1, Health::healthy, "").error().text == "module web/none is not known here: register (again)");
}

TEST_CASE("an operator who names nobody is told who is there, and a name that is none is a wrong field") {
  Membership membership({}, 7, start);
  const auto listed = [](const Refusal& refusal) { return refusal.kind == RefusalKind::unknown_module && refusal.text == "module web/none is not known here: nlb-registry list shows those that are"; };
  CHECK(listed(membership.remove("web/none", 0, {}, "", start).error()));
  CHECK(listed(membership.set_drain("web/none", true, "").error()));
  CHECK(listed(membership.report("web/none", 0, Health::healthy, "").error()));
  const auto wrong = [](const Refusal& refusal) { return refusal.kind == RefusalKind::bad_field && refusal.text.starts_with("module_id \""); };
  const std::string long_one(9000, 'x');
  for (const std::string_view id : {std::string_view(), std::string_view("web"), std::string_view("a/b/c"), std::string_view(long_one)}) {
    CHECK(wrong(membership.heartbeat(id, 1, {}, start).error()));
    CHECK(wrong(membership.remove(id, 0, {}, "", start).error()));
    CHECK(wrong(membership.set_drain(id, true, "").error()));
    CHECK(wrong(membership.readmit(id).error()));
    CHECK(membership.readmit(id).error().text.size() < 300);
  }
}

TEST_CASE("a process that the operator took out is told to stop and stays out; one that left by itself may come back") {
  Fixture f;
  const auto added = f.add(process("web-1", 5));
  const auto beat = [&](Duration now) { return f.membership.heartbeat("web/web-1", added.lease_id, std::nullopt, at(now)); };
  REQUIRE(f.membership.remove("web/web-1", 0, std::nullopt, "too old", at(1s)));
  REQUIRE(beat(2s));
  CHECK(beat(2s)->wish == Wish::stop);
  CHECK(beat(2s)->reason == "taken out by the operator: too old");
  CHECK_FALSE(f.membership.heartbeat("web/web-1", added.lease_id + 1, std::nullopt, at(2s)));      // somebody else's lease
  const auto again = f.membership.add(process("web-1", 5), {}, at(3s));
  REQUIRE_FALSE(again);
  CHECK(again.error().kind == RefusalKind::dismissed);
  CHECK(again.error().text == "web/web-1 was taken out by the operator: too old: stop; nlb-registry unregister --cancel web/web-1 lets it in again");
  CHECK(f.membership.add(process("web-1", 4), {}, at(3s)).error().kind == RefusalKind::dismissed);
  CHECK(f.membership.report("web/web-1", added.lease_id, Health::healthy, "").error().kind == RefusalKind::dismissed);
  CHECK(f.membership.set_drain("web/web-1", true, "").error().kind == RefusalKind::unknown_module);      // to an operator it is gone

  const auto newer = f.add(process("web-1", 6), 4s);
  CHECK(f.membership.dismissals().size() == 0);
  CHECK(beat(5s)->wish == Wish::stop);                                                                   // the old one, for good
  REQUIRE(f.membership.remove("web/web-1", newer.lease_id, std::nullopt, "", at(6s)));
  CHECK_FALSE(f.membership.heartbeat("web/web-1", newer.lease_id, std::nullopt, at(7s)));
  CHECK(f.membership.add(process("web-1", 6), {}, at(8s)));
}

TEST_CASE("without an incarnation a process that was taken out is known by its address") {
  Fixture f;
  f.add(record("web-1", 8001));
  REQUIRE(f.membership.remove("web/web-1", 0, std::nullopt, "", at(1s)));
  CHECK_FALSE(f.membership.add(record("web-1", 8001), {}, at(2s)));
  const auto elsewhere = f.membership.add(record("web-1", 8002), {}, at(3s));
  REQUIRE(elsewhere);
  CHECK(elsewhere->module->incarnation == 2);
}

TEST_CASE("who is on its way out by the operator's word stays on it when it registers again or leaves by itself; a newer process doesn't") {
  Fixture f;
  const auto added = f.add(process("web-1", 5));
  REQUIRE(f.membership.remove("web/web-1", 0, Duration(5s), "upgrade", at(1s)));
  CHECK(f.membership.heartbeat("web/web-1", added.lease_id, std::nullopt, at(2s))->wish == Wish::drain);
  CHECK(f.add(process("web-1", 5), 2s).module->state.phase == Phase::draining);
  REQUIRE(f.membership.remove("web/web-1", added.lease_id, Duration(5s), "it is ending", at(3s)));
  f.membership.sessions_ended("web/web-1");
  CHECK(f.membership.size() == 0);
  CHECK(f.membership.heartbeat("web/web-1", added.lease_id, std::nullopt, at(4s))->wish == Wish::stop);

  f.add(process("web-2", 5), 5s);
  REQUIRE(f.membership.remove("web/web-2", 0, Duration(5s), "upgrade", at(6s)));
  CHECK(f.add(process("web-2", 6), 7s).module->state.phase == Phase::up);
}

TEST_CASE("an operator may take an unregistering back, before the module is out and after") {
  Fixture f;
  const auto added = f.add(process("web-1", 5));
  CHECK(f.membership.readmit("web/web-1").error().kind == RefusalKind::unknown_module);
  REQUIRE(f.membership.remove("web/web-1", 0, Duration(5s), "", at(1s)));
  REQUIRE(f.membership.readmit("web/web-1"));
  CHECK(f.phase("web/web-1") == Phase::up);
  REQUIRE(f.membership.remove("web/web-1", 0, std::nullopt, "", at(2s)));
  f.membership.take_notices();
  REQUIRE(f.membership.readmit("web/web-1"));
  CHECK(f.membership.take_forgotten() == std::vector<ModuleKey>{{"web", "web-1"}});
  CHECK_FALSE(f.membership.heartbeat("web/web-1", added.lease_id, std::nullopt, at(3s)));      // it registers again
  f.add(process("web-1", 5), 3s);

  REQUIRE(f.membership.remove("web/web-1", 0, std::nullopt, "", at(4s)));
  CHECK(f.membership.add(process("web-1", 5), {}, at(5s), true));                              // by an operator's hand
  CHECK(f.membership.dismissals().size() == 0);
}

TEST_CASE("a dismissal is forgotten when its process has been silent for its time, not while it knocks") {
  Fixture f;
  const auto added = f.add(process("web-1", 5));
  REQUIRE(f.membership.remove("web/web-1", 0, std::nullopt, "", start));
  f.membership.tick(at(dismissal_max - 1s));
  CHECK(f.membership.heartbeat("web/web-1", added.lease_id, std::nullopt, at(dismissal_max - 1s))->wish == Wish::stop);
  f.membership.tick(at(2 * dismissal_max - 2s));
  CHECK_FALSE(f.membership.add(process("web-1", 5), {}, at(2 * dismissal_max - 2s)));
  f.membership.tick(at(3 * dismissal_max - 3s));
  CHECK(f.membership.take_forgotten().empty());
  f.membership.tick(at(3 * dismissal_max - 2s));
  CHECK(f.membership.take_forgotten() == std::vector<ModuleKey>{{"web", "web-1"}});
  CHECK(f.membership.add(process("web-1", 5), {}, at(3 * dismissal_max)));
}

TEST_CASE("what the store keeps brings back members, those on their way out and those who are out") {
  Fixture f;
  f.add(process("stays", 5));
  const auto leaving = f.add(process("leaving", 5));
  const auto out = f.add(process("out", 5));
  REQUIRE(f.membership.set_drain("web/leaving", true, "upgrade"));
  f.membership.take_notices();
  REQUIRE(f.membership.remove("web/leaving", 0, Duration(5min), "upgrade", at(1s)));
  CHECK(f.membership.take_notices().size() == 1);               // the store has to hear of it, though the record looks the same
  REQUIRE(f.membership.remove("web/out", 0, std::nullopt, "too old", at(1s)));
  CHECK_FALSE(f.membership.stored({"web", "nobody"}));

  Membership restarted({}, 8, at(100s));
  for (const char* name : {"stays", "leaving", "out"}) restarted.restore(*f.membership.stored({"web", name}), at(100s));
  CHECK(restarted.size() == 2);
  CHECK(restarted.find("web/stays")->module->state.phase == Phase::up);
  CHECK(restarted.heartbeat("web/out", out.lease_id, std::nullopt, at(101s))->reason == "taken out by the operator: too old");
  CHECK(restarted.add(process("out", 5), {}, at(101s)).error().kind == RefusalKind::dismissed);
  CHECK(restarted.heartbeat("web/leaving", leaving.lease_id, std::nullopt, at(101s))->drain_remaining > Duration{});
  restarted.sessions_ended("web/leaving");
  CHECK(restarted.heartbeat("web/leaving", leaving.lease_id, std::nullopt, at(102s))->wish == Wish::stop);
}

TEST_CASE("a drain that the operator takes over from the scaler is the operator's in the store, too") {
  Fixture f;
  f.add(record("web-1"));
  f.membership.drain_listed("web", {{"web-1", "4 to 3"}});
  f.membership.take_notices();
  REQUIRE(f.membership.set_drain("web/web-1", true, "a new disk"));
  REQUIRE(f.membership.take_notices().size() == 1);
  Membership restarted({}, 8, start);
  restarted.restore(*f.membership.stored({"web", "web-1"}), start);
  restarted.drain_listed("web", {});
  CHECK(restarted.find("web/web-1")->module->state.phase == Phase::draining);
}

TEST_CASE("load figures that are no numbers are not known") {
  Fixture f;
  const auto added = f.add(record("web-1"));
  Load load;
  load.cpu_percent = std::numeric_limits<double>::quiet_NaN();
  load.memory_percent = 40;
  REQUIRE(f.membership.heartbeat("web/web-1", added.lease_id, load, at(1s)).has_value());
  CHECK_FALSE(f.membership.find("web/web-1")->load.cpu_percent.has_value());
  CHECK(f.membership.find("web/web-1")->load.memory_percent == 40);
}

TEST_CASE("load figures that can't be are not known, a percentage above 100 is 100, and the lease is renewed all the same") {
  Fixture f;
  const auto added = f.add(record("web-1"));
  const auto load_after = [&](const Load& load) {
    REQUIRE(f.membership.heartbeat("web/web-1", added.lease_id, load, at(20s)).has_value());
    CHECK(f.membership.find("web/web-1")->lease_end == at(50s));
    return f.membership.find("web/web-1")->load;
  };
  constexpr auto infinity = std::numeric_limits<double>::infinity();
  const auto wild = load_after({.cpu_percent = 1e9, .memory_percent = -1, .requests_per_second = infinity, .errors_per_second = -0.5, .connections = 7});
  CHECK(wild.cpu_percent == 100);
  CHECK_FALSE(wild.memory_percent.has_value());
  CHECK_FALSE(wild.requests_per_second.has_value());
  CHECK_FALSE(wild.errors_per_second.has_value());
  CHECK(wild.connections == 7u);
  CHECK_FALSE(load_after({.cpu_percent = infinity, .memory_percent = {}, .requests_per_second = {}, .errors_per_second = {}, .connections = {}}).cpu_percent.has_value());
}

TEST_CASE("a reason that is too long is cut between two characters") {      // protobuf has no other strings, and a peer refuses the message
  Fixture f;
  f.add(record("web-1"));
  std::string reason;
  while (reason.size() < 1000) reason += "\u00e9";
  REQUIRE(f.membership.set_drain("web/web-1", true, reason).has_value());
  const auto kept = f.membership.find("web/web-1")->module->state.reason;
  CHECK(kept.size() == 255);
  CHECK(kept.ends_with("\u00e9..."));
}

TEST_CASE("module ids are read back and nothing else is") {
  CHECK(parse_module_id("web/web-1") == ModuleKey{"web", "web-1"});
  for (const auto* bad : {"", "/", "web", "web/", "/x", "a/b/c", "a/b c", "a/b\n"}) CHECK_FALSE(parse_module_id(bad).has_value());
}

TEST_CASE("the scaler's list drains who is on it and calls back who isn't any more, also after a restart in between") {
  Fixture f;
  for (const char* name : {"web-1", "web-2", "web-3"}) f.add(record(name));
  f.membership.drain_listed("web", {{"web-1", "4 to 3"}, {"web-9", "gone already"}});
  CHECK(f.phase("web/web-1") == Phase::draining);
  CHECK(f.membership.find("web/web-1")->module->state.reason == "nlb-scale: 4 to 3");
  f.membership.drain_listed("other", {});                        // another service's list says nothing about this one
  CHECK(f.phase("web/web-1") == Phase::draining);

  Membership restarted({}, 8, start);
  for (const char* name : {"web-1", "web-2"}) restarted.restore(*f.membership.stored({"web", name}), start);
  restarted.drain_listed("web", {});
  CHECK(restarted.find("web/web-1")->module->state.phase == Phase::up);
}

TEST_CASE("the scaler's list leaves alone what an operator drains and what leaves by itself") {
  Fixture f;
  f.add(record("web-1"));
  const auto leaving = f.add(record("web-2"));
  REQUIRE(f.membership.set_drain("web/web-1", true, "a new disk").has_value());
  f.membership.drain_listed("web", {{"web-2", "fewer"}});
  REQUIRE(f.membership.remove("web/web-2", leaving.lease_id, 30s, "it said so", at(1s)).has_value());
  f.membership.drain_listed("web", {});
  CHECK(f.phase("web/web-1") == Phase::draining);
  CHECK(f.phase("web/web-2") == Phase::draining);
}
