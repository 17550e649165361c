// One word per key out of several owners' copies: strangers, lives of one owner, conflicts, and quarantine at a handover.
#include <catch2/catch.hpp>

#include "libnlb/bus/merge_state.hpp"
#include "libnlb/bus/owner_state.hpp"

using namespace nlb;
using namespace nlb::bus;

namespace {

struct Site {                  // an owner, and our copy of it
  OwnerState owner;
  SubscriberState copy;
  MergeState::PeerNumber number = 0;
  Site(std::uint64_t id, std::uint64_t epoch, std::uint64_t seed, MonoTime now) : owner({.id = id, .epoch = epoch}), copy({}, seed, now) {}
};

struct Table {
  MonoTime now{};
  MergeState merge{120s};
  std::deque<Site> sites;
  std::vector<Change> told;
  std::map<std::string, std::string> values;      // what somebody who only listens to what is told knows; '?' behind a quarantined one

  Site& add(std::uint64_t id, std::uint64_t epoch) {
    auto& site = sites.emplace_back(id, epoch, sites.size() + 1, now);
    site.number = merge.add(site.copy, told);
    return site;
  }
  void listen() {
    for (auto& change : std::exchange(told, {})) {
      if (change.kind == Change::Kind::gone) values.erase(change.topic);
      else values[change.topic] = *change.payload + (change.kind == Change::Kind::quarantined ? "?" : "");
    }
  }
  void take(Site& site, Effects effects) {
    merge.heard(site.number, std::move(effects.changes), told);
    listen();
    if (!effects.request) return;
    for (auto& chunk : site.owner.answer(*effects.request)) take(site, site.copy.chunk(std::move(chunk), now));
  }
  void put(Site& site, std::string_view topic, std::string text) {
    const auto update = site.owner.publish(topic, make_payload(std::move(text)), now);
    REQUIRE(update.has_value());
    if (site.copy.phase() == SubscriberState::Phase::live) take(site, site.copy.news({update->topic, site.owner.header(*update, now), update->payload}, now));
  }
  void withdraw(Site& site, std::string_view topic) {
    const auto update = site.owner.withdraw(topic, now);
    REQUIRE(update.has_value());
    take(site, site.copy.news({update->topic, site.owner.header(*update, now), nullptr}, now));
  }
  void beat(Site& site) { take(site, site.copy.beat(site.owner.header_of_beat(make_payload("")), site.owner.beat(), now)); }
  void pass(Site& site, Duration d) {
    for (const auto end = now + d; now < end; now += 50ms) {
      take(site, site.copy.tick(now));
      merge.tick(now, told);
      listen();
    }
  }
  void sync(Site& site) { beat(site), pass(site, 300ms), beat(site); }
  std::string value(const std::string& topic) const { return values.contains(topic) ? values.at(topic) : "-"; }
};

}  // namespace

TEST_CASE("two registries that own modules of their own are one list, and one's death or empty return takes nothing from the other") {
  Table t;
  auto &a = t.add(1, 100), &b = t.add(2, 5);
  t.put(a, "modules/web/a1", "x");
  t.put(a, "modules/web/a2", "x");
  t.put(b, "modules/web/b1", "y");
  t.sync(a), t.sync(b);
  CHECK(t.values.size() == 3);
  b.owner = OwnerState({.id = 2, .epoch = 6});           // came back with nothing
  t.sync(b);
  CHECK(t.value("modules/web/b1") == "y?");
  CHECK(t.value("modules/web/a1") == "x");
  t.pass(a, 10s);                                         // silence
  CHECK(t.values.size() == 3);
  CHECK(t.merge.conflicts().empty());
  CHECK(t.merge.refused() == 0);
}

TEST_CASE("of two owners that name one module the first peer is right, whatever the epochs, until it takes its word back") {
  Table t;
  auto &a = t.add(1, 100), &b = t.add(2, 500);
  t.put(b, "modules/web/m", "b");
  t.sync(b);
  CHECK(t.value("modules/web/m") == "b");
  t.put(a, "modules/web/m", "a");
  t.sync(a);
  CHECK(t.value("modules/web/m") == "a");
  CHECK(t.merge.conflicts().contains("modules/web/m"));
  t.put(b, "modules/web/m", "b2");
  CHECK(t.value("modules/web/m") == "a");
  t.withdraw(a, "modules/web/m");
  CHECK(t.value("modules/web/m") == "b2");
  CHECK(t.merge.conflicts().empty());
  t.withdraw(b, "modules/web/m");
  CHECK(t.value("modules/web/m") == "-");
}

TEST_CASE("a key that its owner forgot gives way to another owner that names it") {
  Table t;
  auto &a = t.add(1, 100), &b = t.add(2, 500);
  t.put(a, "modules/web/m", "a");
  t.put(b, "modules/web/m", "b");
  t.sync(a), t.sync(b);
  CHECK(t.value("modules/web/m") == "a");
  a.owner = OwnerState({.id = 1, .epoch = 101});
  t.sync(a);
  CHECK(t.value("modules/web/m") == "b");
}

TEST_CASE("of two controllers the greater epoch is right about a service, for good; services that only one has are that one's") {
  Table t;
  auto &old = t.add(1, 100), &young = t.add(2, 200);
  t.put(old, "splits/web", "old");
  t.put(old, "splits/api", "only mine");
  t.put(young, "splits/web", "young");
  t.sync(young), t.sync(old);
  CHECK(t.value("splits/web") == "young");
  CHECK(t.value("splits/api") == "only mine");
  t.put(old, "splits/web", "old again");
  CHECK(t.value("splits/web") == "young");
  CHECK(t.merge.refused() > 0);
  t.withdraw(young, "splits/web");
  CHECK(t.value("splits/web") == "-");                   // a deposed word doesn't come back
}

TEST_CASE("a successor on another machine is the owner whole, and its predecessor is heard no more") {
  Table t;
  auto &first = t.add(7, 10), &second = t.add(7, 0);
  for (int i = 0; i < 4; ++i) t.put(first, "modules/web/m" + std::to_string(i), "1");
  t.sync(first);
  second.owner = OwnerState({.id = 7, .epoch = 11});
  for (int i = 0; i < 3; ++i) t.put(second, "modules/web/m" + std::to_string(i), "2");      // m3 left while nobody listened
  t.sync(second);
  CHECK(t.value("modules/web/m0") == "2");
  CHECK(t.value("modules/web/m3") == "-");
  CHECK(t.merge.conflicts().empty());
  t.put(first, "modules/web/m0", "from the past");       // woken by SIGCONT
  t.put(first, "modules/web/new", "from the past");
  CHECK(t.value("modules/web/m0") == "2");
  CHECK(t.value("modules/web/new") == "-");
  CHECK(t.merge.refused() == 2);
  first.owner = OwnerState({.id = 7, .epoch = 12});      // elected again
  for (const auto* topic : {"modules/web/m0", "modules/web/m1", "modules/web/m3"}) REQUIRE(first.owner.publish(topic, make_payload("3"), t.now).has_value());
  t.sync(first);
  CHECK(t.value("modules/web/m0") == "3");
  CHECK(t.value("modules/web/m2") == "-");
}

TEST_CASE("a successor that knows less than half is not believed about the rest") {
  Table t;
  auto &first = t.add(7, 10), &second = t.add(7, 0);
  for (int i = 0; i < 4; ++i) t.put(first, "modules/web/m" + std::to_string(i), "1");
  t.sync(first);
  second.owner = OwnerState({.id = 7, .epoch = 11});
  t.put(second, "modules/web/m0", "2");
  t.sync(second);
  CHECK(t.value("modules/web/m0") == "2");
  CHECK(t.value("modules/web/m1") == "1?");
  CHECK(t.merge.kept() == 3);
  t.merge.release("modules/web/m3", t.told);             // it doesn't answer
  t.listen();
  CHECK(t.value("modules/web/m3") == "-");
  t.put(second, "modules/web/m1", "2");
  CHECK(t.value("modules/web/m1") == "2");
  for (int s = 0; s < 119; ++s) t.beat(second), t.pass(second, 1s);
  CHECK(t.value("modules/web/m2") == "1?");
  for (int s = 0; s < 3; ++s) t.beat(second), t.pass(second, 1s);
  CHECK(t.value("modules/web/m2") == "-");
  CHECK(t.merge.kept() == 0);
}

TEST_CASE("events, breakers and directories are everybody's: each word is told") {
  Table t;
  auto &a = t.add(1, 100), &b = t.add(2, 200);
  t.sync(a), t.sync(b);
  t.put(a, "breakers/web/m", "from a");
  CHECK(t.value("breakers/web/m") == "from a");
  t.put(b, "breakers/web/m", "from b");
  CHECK(t.value("breakers/web/m") == "from b");
  CHECK(t.merge.conflicts().empty());
}

TEST_CASE("two forwarders of one name contradict each other: the first counts, and it shows") {
  Table t;
  auto &a = t.add(1, 100), &b = t.add(2, 200);
  t.sync(a), t.sync(b);
  t.put(a, "traffic/edge/web/v1", "10");
  t.put(b, "traffic/edge/web/v1", "7");
  t.put(b, "traffic/edge-2/web/v1", "7");
  CHECK(t.value("traffic/edge/web/v1") == "10");
  CHECK(t.value("traffic/edge-2/web/v1") == "7");
  CHECK(t.merge.conflicts() == std::set<std::string, std::less<>>{"traffic/edge/web/v1"});
}

TEST_CASE("a peer that is dropped takes its facts along, and its number is used again") {
  Table t;
  auto &a = t.add(1, 100), &b = t.add(2, 200);
  t.put(a, "traffic/edge-1/web/v1", "1");
  t.put(b, "traffic/edge-2/web/v1", "2");
  t.sync(a), t.sync(b);
  t.merge.remove(a.number, t.told);
  t.listen();
  CHECK(t.values.size() == 1);
  CHECK(t.add(3, 300).number == a.number);
}

TEST_CASE("what is preloaded counts at once") {
  Table t;
  auto& a = t.add(1, 100);
  t.put(a, "modules/web/m", "1");
  t.sync(a);
  SubscriberState again({}, 9, t.now);
  again.preload(a.copy.copy(), t.now);
  MergeState merge(120s);
  std::vector<Change> told;
  merge.add(again, told);
  REQUIRE(told.size() == 1);
  CHECK(told[0].topic == "modules/web/m");
  CHECK(told[0].epoch == 100);
}
