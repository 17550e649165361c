// Random schedules of registrations, beats, checks, drains, an operator, restarts and time against what must always hold; the seed is in
// each failure.
#include <catch2/catch.hpp>

#include <map>
#include <optional>

#include "libnlb/core/rng.hpp"
#include "libnlb/registry/membership.hpp"
#include "tests/support/registry_records.hpp"

using namespace nlb;
using namespace nlb::registry;
using nlb::testing::record;

namespace {

// Watches the notices as a forwarder would and keeps its own copy.
struct Watcher {
  std::map<std::string, ModulePtr> copy;
  std::uint64_t revision = 0;
  void see(const Notice& notice) {
    REQUIRE(notice.revision == revision + 1);
    revision = notice.revision;
    const auto id = module_id(notice.module->key());
    if (notice.kind == Notice::Kind::removed) {
      REQUIRE(copy.erase(id) == 1);
    } else {
      REQUIRE(copy.contains(id) == (notice.kind == Notice::Kind::changed));
      copy[id] = notice.module;
    }
  }
};

struct Known { std::uint64_t lease = 0; MonoTime renewed{}; bool leaving = false; };

// What the operator took out, kept apart from the membership: nobody of that incarnation or an older one may be a member.
using TakenOut = std::map<std::string, std::uint64_t>;

// The store, as the registry writes it: what notices and forgotten names are about, each by its newest state.
struct Disk {
  std::map<std::string, Stored> kept;
  void write(const Membership& membership, const ModuleKey& key) {
    if (const auto stored = membership.stored(key)) kept.insert_or_assign(module_id(key), *stored);
    else kept.erase(module_id(key));
  }
};

struct Schedule {
  explicit Schedule(std::uint64_t seed) : rng(seed) {
    limits.modules_per_protocol_max = 6;
    membership.emplace(limits, seed, now);
  }

  void run() {
    for (int step = 0; step < 400; ++step) {
      act();
      note();
      check();
    }
  }

  void act() {
    const auto name = "m" + std::to_string(rng.below(8));
    const auto id = "web/" + name;
    switch (rng.below(9)) {
      case 0: case 1: add(name); break;
      case 2: case 3: case 4:
        if (const auto beat = membership->heartbeat(id, known[id].lease, {}, now); beat && beat->wish != Wish::stop) known[id].renewed = now;
        break;
      case 5: (void)membership->checked(id, {rng.below(2) == 0, "no", 1ms}); break;
      case 6:
        if (rng.below(4) == 0 && membership->remove(id, known[id].lease, 2s, "", now)) known[id].leaving = true;
        break;
      case 7: pass(); break;
      case 8: operate(id); break;
    }
  }

  void add(const std::string& name) {
    auto module = record(name, static_cast<std::uint16_t>(8000 + rng.below(2)));
    module.lease = 1s * static_cast<int>(1 + rng.below(5));
    module.incarnation = rng.below(3) == 0 ? 0 : 1 + rng.below(6);
    const auto id = module_id(module.key());
    const auto added = membership->add(module, {}, now);
    if (!added) return;
    if (const auto out = taken_out.find(id); out != taken_out.end()) REQUIRE(added->module->incarnation > out->second);
    if (const auto& before = known[id]; before.lease != added->lease_id) taken_out.erase(id);      // somebody newer
    const auto ordered = leaving_by_order.find(id);
    known[id] = {added->lease_id, now, ordered != leaving_by_order.end() && ordered->second == added->module->incarnation};
  }

  void operate(const std::string& id) {
    const auto member = membership->find(id);
    const auto incarnation = member ? member->module->incarnation : 0;
    switch (rng.below(4)) {
      case 0:
        if (membership->remove(id, 0, rng.below(2) == 0 ? std::optional<Duration>(2s) : std::nullopt, "", now)) {
          known[id].leaving = true;
          leaving_by_order[id] = incarnation;
        }
        break;
      case 1:
        if (rng.below(4) == 0 && membership->readmit(id)) taken_out.erase(id), leaving_by_order.erase(id);
        break;
      case 2: (void)membership->set_drain(id, true, "by hand"); break;
      case 3:
        if (membership->set_drain(id, false, "")) leaving_by_order.erase(id);
        break;
    }
  }

  void pass() {
    const bool paused = rng.below(20) == 0;
    now += paused ? Duration(1min) : Duration(100ms * static_cast<int>(rng.below(15)));
    if (paused) hearing = now;
    if (rng.below(10) == 0) return restart();
    membership->tick(now);
  }

  void restart() {
    const auto before = membership->list();
    membership.emplace(limits, rng(), now);
    hearing = now;
    for (const auto& [id, stored] : disk.kept) membership->restore(stored, now);
    REQUIRE(membership->list().size() == before.size());
    watcher.revision = 0;
  }

  void note() {
    for (const auto& key : membership->take_forgotten()) disk.write(*membership, key);
    for (const auto& notice : membership->take_notices()) {
      watcher.see(notice);
      disk.write(*membership, notice.module->key());
      if (notice.kind != Notice::Kind::removed) continue;
      const auto id = module_id(notice.module->key());
      const auto& gone = known[id];
      if (const auto ordered = leaving_by_order.find(id); ordered != leaving_by_order.end() && ordered->second == notice.module->incarnation)
        taken_out[id] = ordered->second;
      leaving_by_order.erase(id);
      if (!gone.leaving) REQUIRE(now >= std::max(gone.renewed, hearing) + notice.module->lease);   // nobody goes before its lease
    }
  }

  void check() const {
    REQUIRE(watcher.copy.size() == membership->size());
    REQUIRE(membership->size() <= limits.modules_per_protocol_max);
    for (const auto& module : membership->list()) {
      REQUIRE(*watcher.copy.at(module_id(module->key())) == *module);
      const auto out = taken_out.find(module_id(module->key()));
      REQUIRE((out == taken_out.end() || module->incarnation > out->second));
    }
    for (const auto& [id, incarnation] : taken_out) REQUIRE((membership->find(id) || membership->dismissals().find(id)));
    REQUIRE(disk.kept.size() == membership->size() + membership->dismissals().size());
  }

  Rng rng;
  Limits limits;
  MonoTime now{}, hearing{};
  std::optional<Membership> membership;
  Watcher watcher;
  Disk disk;
  std::map<std::string, Known> known;
  TakenOut taken_out, leaving_by_order;
};

}  // namespace

TEST_CASE("whoever follows the notices knows exactly the members, nobody goes before its lease is over, and who was taken out stays out") {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    INFO("seed " << seed);
    Schedule(seed).run();
  }
}
