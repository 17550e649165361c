// Random schedules of registrations, beats, checks, drains and time against what must always hold; the seed is in each failure.
#include <catch2/catch.hpp>

#include <map>

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

void run(std::uint64_t seed) {
  Rng rng(seed);
  Limits limits;
  limits.modules_per_protocol_max = 6;
  Membership membership(limits, seed, MonoTime{});
  Watcher watcher;
  std::map<std::string, Known> known;
  MonoTime now{}, hearing{};
  for (int step = 0; step < 400; ++step) {
    const auto name = "m" + std::to_string(rng.below(8));
    const auto id = "web/" + name;
    switch (rng.below(8)) {
      case 0: case 1: {
        auto module = record(name, static_cast<std::uint16_t>(8000 + rng.below(2)));
        module.lease = 1s * static_cast<int>(1 + rng.below(5));
        if (const auto added = membership.add(module, {}, now)) known[id] = {added->lease_id, now, false};
        break;
      }
      case 2: case 3: case 4:
        if (const auto beat = membership.heartbeat(id, known[id].lease, {}, now); beat && beat->wish != Wish::stop) known[id].renewed = now;
        break;
      case 5: (void)membership.checked(id, {rng.below(2) == 0, "no", 1ms}); break;
      case 6:
        if (rng.below(4) == 0 && membership.remove(id, known[id].lease, 2s, "", now)) known[id].leaving = true;
        break;
      case 7: {
        const bool paused = rng.below(20) == 0;
        now += paused ? Duration(1min) : Duration(100ms * static_cast<int>(rng.below(15)));
        if (paused) hearing = now;
        membership.tick(now);
        break;
      }
    }
    for (const auto& notice : membership.take_notices()) {
      watcher.see(notice);
      if (notice.kind != Notice::Kind::removed) continue;
      const auto& gone = known[module_id(notice.module->key())];
      if (!gone.leaving) REQUIRE(now >= std::max(gone.renewed, hearing) + notice.module->lease);   // nobody goes before its lease
    }
    REQUIRE(watcher.copy.size() == membership.size());
    REQUIRE(membership.size() <= limits.modules_per_protocol_max);
    for (const auto& module : membership.list()) REQUIRE(*watcher.copy.at(module_id(module->key())) == *module);
  }
}

}  // namespace

TEST_CASE("whoever follows the notices knows exactly the members, and nobody goes before its lease is over") {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    INFO("seed " << seed);
    run(seed);
  }
}
