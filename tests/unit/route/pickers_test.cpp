#include <mutex>
#include <thread>

#include "libnlb/route/outlier.hpp"
#include "tests/unit/route/fleet.hpp"

using namespace nlb;
using namespace nlb::route;
using namespace nlb::route::test;

namespace {
constexpr Picker all_pickers[] = {Picker::least_conn, Picker::round_robin, Picker::random, Picker::p2c, Picker::hash, Picker::latency};
std::map<std::string, double> even(std::size_t n) {
  std::map<std::string, double> shares;
  for (std::size_t i = 0; i < n; ++i) shares["m" + std::to_string(i)] = 1;
  return shares;
}
}  // namespace

TEST_CASE("every picker shares idle modules evenly, few or many") {
  for (const Picker picker : all_pickers)
    for (const auto& [n, limit] : {std::pair{8, 24.3}, std::pair{50, 85.4}}) {
      Fleet fleet;
      fleet.options().picker = picker;
      fleet.add_many(static_cast<std::size_t>(n));
      fleet.build();
      const auto seen = fleet.counts(20000);
      CAPTURE(to_string(picker), n);
      CHECK(chi_square(seen, even(static_cast<std::size_t>(n))) < limit);
    }
}

TEST_CASE("every picker shares by weight") {
  for (const Picker picker : all_pickers) {
    Fleet fleet;
    fleet.options().picker = picker;
    std::map<std::string, double> shares;
    for (std::uint32_t i = 0; i < 4; ++i) {
      fleet.add("m" + std::to_string(i)).weight = (i + 1) * 50;
      shares["m" + std::to_string(i)] = i + 1;
    }
    fleet.build();
    CAPTURE(to_string(picker));
    CHECK(chi_square(fleet.counts(20000), shares) < 16.3);
  }
}

TEST_CASE("beyond the scan, one heavy module among many light ones gets its share") {
  for (const Picker picker : {Picker::least_conn, Picker::random, Picker::hash, Picker::round_robin}) {
    Fleet fleet;
    fleet.options().picker = picker;
    fleet.add_many(49, 10);
    fleet.add("heavy").weight = 490;
    fleet.build();
    CAPTURE(to_string(picker));
    CHECK(fleet.counts(20000)["heavy"] == Approx(10000).epsilon(0.05));
  }
}

TEST_CASE("open sessions are balanced by weight, few modules exactly, many closely") {
  for (const auto& [n, slack] : {std::pair{6, 0.001}, std::pair{50, 0.15}}) {
    Fleet fleet;
    fleet.add_many(static_cast<std::size_t>(n));
    fleet.input.modules[0].weight = 200;
    fleet.build();
    std::vector<Slot> open;
    for (int i = 0; i < (n + 1) * 40; ++i) open.push_back(fleet.pick().slot);
    CAPTURE(n);
    CHECK(fleet.state("m0").active.load() == Approx(80).epsilon(slack));
    for (int i = 1; i < n; ++i) CHECK(fleet.state("m" + std::to_string(i)).active.load() == Approx(40).epsilon(slack));
  }
}

TEST_CASE("round robin is smooth: a heavy module's turns are spread out") {
  Fleet fleet;
  fleet.options().picker = Picker::round_robin;
  fleet.add("a").weight = 50;
  fleet.add("b").weight = 10;
  fleet.add("c").weight = 10;
  fleet.build();
  std::string order;
  for (int i = 0; i < 14; ++i) order += fleet.pick().slot->identity.name;
  CHECK(order == "aabacaaaabacaa");
}

TEST_CASE("the hash picker keeps a client, and moves only the clients of a module that left") {
  Fleet fleet;
  fleet.options().picker = Picker::hash;
  fleet.add_many(10);
  fleet.build();
  const auto homes = [&] {
    std::vector<std::string> result;
    for (std::uint32_t c = 0; c < 3000; ++c) result.push_back(fleet.pick(c * 2654435761u).slot->identity.name);
    return result;
  };
  const auto before = homes();
  CHECK(homes() == before);
  fleet.input.modules.erase(fleet.input.modules.begin() + 4);
  fleet.build();
  const auto after = homes();
  int moved = 0, had_to = 0;
  for (std::size_t i = 0; i < before.size(); ++i) {
    had_to += before[i] == "m4";
    moved += before[i] != "m4" && before[i] != after[i];
  }
  CHECK(had_to > 200);
  CHECK(moved < 150);   // Maglev's own disruption, below 5 % (figure 12 of the paper)
}

TEST_CASE("the hash picker can go by a name instead of the address") {
  Fleet fleet;
  fleet.options().picker = Picker::hash;
  fleet.add_many(10);
  fleet.build();
  const auto ask = [&](std::uint32_t client, std::string_view name) {
    return fleet.table->pick(0, {IpAddress::v4(client), key_of(name), fleet.now, fleet.rng, {}}).slot->identity.name;
  };
  std::map<std::string, int> seen;
  for (int i = 0; i < 200; ++i) {
    const auto name = "host" + std::to_string(i);
    REQUIRE(ask(1, name) == ask(2, name));
    ++seen[ask(1, name)];
  }
  CHECK(seen.size() == 10);
}

TEST_CASE("a full module is skipped by every picker, and a session's end makes room") {
  for (const Picker picker : all_pickers)
    for (std::size_t n : {std::size_t{3}, std::size_t{20}}) {
      Fleet fleet;
      fleet.options().picker = picker;
      fleet.add_many(n);
      for (auto& m : fleet.input.modules) m.max_connections = 2;
      fleet.build();
      std::vector<Slot> open;
      CAPTURE(to_string(picker), n);
      for (std::size_t i = 0; i < 2 * n; ++i) {
        open.push_back(fleet.pick().slot);
        REQUIRE(open.back());
      }
      CHECK(fleet.pick().failure == PickFailure::all_full);
      open.pop_back();
      CHECK(fleet.pick());
    }
}

TEST_CASE("modules that were tried are not tried again") {
  for (const Picker picker : all_pickers) {
    Fleet fleet;
    fleet.options().picker = picker;
    fleet.add_many(12);
    fleet.build();
    std::vector<ModuleState*> tried;
    for (int i = 0; i < 12; ++i) {
      const auto p = fleet.pick(7, tried);
      REQUIRE(p);
      REQUIRE(std::find(tried.begin(), tried.end(), p.slot.module()) == tried.end());
      tried.push_back(p.slot.module());
    }
    CHECK(fleet.pick(7, tried).failure == PickFailure::none_healthy);
  }
}

TEST_CASE("a module with too many sessions connecting rests until they are through") {
  Fleet fleet;
  fleet.options().breaker_pending_max = 2;
  fleet.add("a");
  fleet.build();
  auto one = fleet.pick(), two = fleet.pick();
  CHECK(fleet.pick().failure == PickFailure::all_full);
  one.slot.connected();
  CHECK(fleet.state("a").pending == 1);
  auto three = fleet.pick();
  CHECK(three);
  CHECK(fleet.state("a").active == 3);
}

TEST_CASE("a slot gives back what it holds exactly once") {
  Fleet fleet;
  fleet.add("a");
  fleet.build();
  auto& state = fleet.state("a");
  {
    auto p = fleet.pick();
    Slot moved = std::move(p.slot);
    CHECK_FALSE(p.slot);
    CHECK(state.active == 1);
    moved = fleet.pick().slot;
    CHECK(state.active == 1);
    moved.connected();
    moved.connected();
    CHECK(state.pending == 0);
  }
  CHECK(state.active == 0);
  CHECK(state.pending == 0);
}

TEST_CASE("the latency picker prefers the fast module, and looks at a new one") {
  Fleet fleet;
  fleet.options().picker = Picker::latency;
  fleet.add("slow");
  fleet.add("fast");
  fleet.build();
  observe_latency(fleet.state("slow"), 50ms, fleet.now);
  observe_latency(fleet.state("fast"), 5ms, fleet.now);
  CHECK(fleet.counts(100)["fast"] == 100);
  fleet.add("new");
  fleet.build();
  const auto first = fleet.pick(), second = fleet.pick();
  CHECK(first.slot->identity.name == "new");
  CHECK(second.slot->identity.name == "fast");
}

TEST_CASE("the latency average jumps up and comes down with time") {
  Fleet fleet;
  fleet.add("a");
  fleet.build();
  auto& a = fleet.state("a");
  observe_latency(a, 10ms, fleet.now);
  observe_latency(a, 100ms, fleet.now + 1s);
  CHECK(a.latency_ns.load() == Approx(1e8));
  observe_latency(a, 10ms, fleet.now + 1s + latency_decay);
  CHECK(a.latency_ns.load() == Approx(1e7 + 9e7 * std::exp(-1.0)).epsilon(1e-4));
}

TEST_CASE("a new module warms up, but not when the program starts") {
  for (const Picker picker : all_pickers) {
    if (picker == Picker::latency) continue;
    Fleet fleet;
    fleet.options().picker = picker;
    fleet.options().slow_start = 100s;
    fleet.add_many(2);
    fleet.build();
    CAPTURE(to_string(picker));
    CHECK(chi_square(fleet.counts(4000), even(2)) < 10.8);
    fleet.now += 1h;
    fleet.add("m2");
    fleet.build();
    const auto share = [&](Duration age) {
      fleet.now = start + 1h + age;
      return fleet.counts(20000)["m2"] / 20000.0;
    };
    const double early = share(1s), middle = share(50s), late = share(100s);
    CHECK((early > 0.02 && early < 0.09));
    CHECK((middle > 0.14 && middle < 0.27));
    CHECK(late == Approx(1.0 / 3).margin(0.03));
  }
}

TEST_CASE("a module that comes back from a bad time warms up again") {
  Fleet fleet;
  fleet.options().slow_start = 100s;
  fleet.add_many(2);
  fleet.build();
  fleet.now += 1h;
  fleet.input.modules[0].state.health = registry::Health::unhealthy;
  fleet.build();
  fleet.now += 1h;
  fleet.input.modules[0].state.health = registry::Health::healthy;
  fleet.build();
  CHECK(fleet.counts(10000)["m0"] < 1500);
  fleet.now += 10s;
  fleet.build();   // another table is no reason to start anew
  fleet.now += 90s;
  CHECK(fleet.counts(10000)["m0"] == Approx(5000).margin(250));
}

TEST_CASE("workers pick from old tables while new ones are built and old states freed") {
  Fleet fleet;
  fleet.add_many(6);
  fleet.build();
  std::mutex posted;   // stands for the post to the workers
  std::atomic<bool> done{false};
  std::vector<std::thread> workers;
  for (std::uint64_t t = 0; t < 3; ++t)
    workers.emplace_back([&, t] {
      Rng rng(t);
      std::vector<Slot> open;
      while (!done) {
        std::shared_ptr<const Table> table;
        {
          std::lock_guard guard(posted);
          table = fleet.table;
        }
        for (int i = 0; i < 50; ++i) {
          auto p = table->pick(0, {IpAddress::v4(static_cast<std::uint32_t>(rng())), 0, start, rng, {}});
          if (p) report(table->service(0), *p.slot, i % 3 == 0 ? Outcome::connect_failed : Outcome::ok, start, t);
          if (p) open.push_back(std::move(p.slot));
        }
        if (open.size() > 200) open.clear();
      }
    });
  std::size_t freed = 0;
  for (int round = 0; round < 300; ++round) {
    fleet.input.modules[static_cast<std::size_t>(round) % 6].data.port = static_cast<std::uint16_t>(1000 + round);   // another identity
    auto next = *Table::build(fleet.input, fleet.roster, start + round * 1s);
    std::lock_guard guard(posted);
    fleet.table = std::move(next);
    freed += fleet.roster.collect(start + round * 1s, 1s);
  }
  done = true;
  for (auto& worker : workers) worker.join();
  freed += fleet.roster.collect(start + 1h, 1s);
  CHECK(freed == 300);
  CHECK(fleet.roster.modules().size() == 6);
}

TEST_CASE("a module that failed a moment ago looks busier for a while") {
  Fleet fleet;
  fleet.options().eject.failures = 0;
  fleet.add_many(2);
  fleet.build();
  report(fleet.table->service(0), fleet.state("m0"), Outcome::connect_failed, fleet.now, 0);
  CHECK(fleet.counts(100)["m1"] == 100);
  fleet.now += 11s;
  CHECK(fleet.counts(1000)["m0"] > 400);
}

TEST_CASE("threads never reserve more than a module's limit") {
  for (const Picker picker : all_pickers) {
    Fleet fleet;
    fleet.options().picker = picker;
    fleet.add_many(12);
    for (auto& m : fleet.input.modules) m.max_connections = 3;
    fleet.build();
    std::atomic<bool> passed{false};
    std::vector<std::thread> threads;
    for (std::uint64_t t = 0; t < 4; ++t)
      threads.emplace_back([&, t] {
        Rng rng(t);
        std::vector<Slot> open;
        for (int i = 0; i < 4000; ++i) {
          auto p = fleet.table->pick(0, {IpAddress::v4(static_cast<std::uint32_t>(rng())), 0, fleet.now, rng, {}});
          if (p && p.slot->active.load() > 3) passed = true;
          if (p) open.push_back(std::move(p.slot));
          if (open.size() > 8 || !p) open.erase(open.begin(), open.begin() + static_cast<std::ptrdiff_t>(rng.below(open.size() + 1)));
        }
      });
    for (auto& thread : threads) thread.join();
    CHECK_FALSE(passed);
    for (const auto& m : fleet.table->service(0).modules) CHECK((m->active == 0 && m->pending == 0));
  }
}
