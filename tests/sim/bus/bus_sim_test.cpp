// The failure table in a deterministic simulation: NLB_SIM_SCHEDULES schedules (10,000 by default), each from one seed. A failure prints
// its seed; NLB_SIM_SEED=N runs that schedule alone.
#include <catch2/catch.hpp>

#include <algorithm>
#include <cstdlib>

#include "tests/sim/bus/world_copies.hpp"
#include "tests/sim/bus/world_owners.hpp"

namespace nlb::sim {

World::World(std::uint64_t seed) : net_(seed) {
  int number = 0;
  registry_.number = number++;
  for (auto& c : controllers_) c.number = number++;
  site_.number = number++;
  for (auto& f : forwarders_) f.number = number++;
  for (auto& m : modules_) m.number = number++;
  for (auto& m : modules_) m.name = "m" + std::to_string(m.number < first_twin ? m.number : m.number - first_twin + first_module);
  one_owner_ = net_.rng.below(2) == 0;
  net_.drop_percent = net_.rng.below(30);
  crash_permille_ = net_.rng.below(30);
}

template <class Body>
void World::guarded(Node& node, Body body) {
  if (!node.up || node.paused) return;
  try {
    body();
  } catch (const Crash&) {
    node.up = false;
    ++node.life;
    net_.after(1ms * static_cast<int>(1 + net_.rng.below(1500)), [this, &node] { start(node); });
  }
}

template <class Body>
void World::every(Node& node, Duration period, Body body) {
  net_.after(period, [this, &node, period, body, life = node.life] {
    if (node.life != life) return;
    guarded(node, body);
    if (node.life == life) every(node, period, body);
  });
}

void World::write() {
  if (net_.hostile && net_.rng.below(1000) < crash_permille_) throw Crash{};
}

void World::need(bool holds, const std::string& what) const {
  if (!holds) throw Broken{what};
}

void World::start(Node& node) {
  if (node.up) return;
  node.up = true;
  node.paused = false;
  ++node.life;
  guarded(node, [&] {
    if (node.number == registry_node) return start_registry();
    if (node.number == site_node) return start_site();
    if (node.number < first_forwarder) return start_controller(controllers_[static_cast<std::size_t>(node.number - first_controller)]);
    if (node.number < first_module) return start_forwarder(forwarders_[static_cast<std::size_t>(node.number - first_forwarder)]);
    start_module(modules_[static_cast<std::size_t>(node.number - first_module)]);
  });
}

bus::OwnerState* World::owner_of(int source) {
  auto& owner = source == registry_node ? registry_.owner
                : source == site_node   ? site_.owner
                : source < site_node    ? controllers_[static_cast<std::size_t>(source - first_controller)].owner
                                        : forwarders_[static_cast<std::size_t>(source - first_forwarder)].owner;
  return node_of(source).up && owner ? &*owner : nullptr;
}

Node& World::node_of(int number) {
  if (number == registry_node) return registry_;
  if (number == site_node) return site_;
  if (number < site_node) return controllers_[static_cast<std::size_t>(number - first_controller)];
  if (number < first_module) return forwarders_[static_cast<std::size_t>(number - first_forwarder)];
  return modules_[static_cast<std::size_t>(number - first_module)];
}

void World::pause(Node& node) {
  node.paused = true;
  node.paused_at = net_.now;
}

void World::wake(Node& node) {
  const bool slept = node.paused && net_.now - node.paused_at > registry::pause_max;
  if (slept && node.number == registry_node) registry_.hearing_since = net_.now;
  node.paused = false;
}

Node& World::any_node() { return node_of(static_cast<int>(net_.rng.below(nodes_count))); }

void World::fault() {
  const auto stop = [this](Node& node, Duration how_long) {      // SIGSTOP, SIGCONT
    if (node.paused) return;
    pause(node);
    net_.after(how_long, [this, &node, life = node.life] { if (node.life == life) wake(node); });
  };
  switch (net_.rng.below(9)) {
    case 0: {                                    // SIGKILL
      auto& node = any_node();
      guarded(node, [] { throw Crash{}; });
      break;
    }
    case 1: stop(any_node(), 1ms * static_cast<int>(net_.rng.below(4000))); break;
    case 2: net_.cut_some(); break;
    case 3: net_.heal(); break;
    case 4:
      if (net_.rng.below(4) == 0) {              // the registry's disk is lost
        registry_.disk.clear();
        registry_.taken_out.clear();
        registry_.disk_epoch = 0;
        guarded(registry_, [] { throw Crash{}; });
      } else if (net_.rng.below(4) == 0) {       // the other site's
        site_.disk.clear();
        site_.disk_epoch = 0;
        guarded(site_, [] { throw Crash{}; });
      }
      break;
    case 5: net_.drop_percent = net_.rng.below(40); break;
    case 6: wall_ahead_ += net_.rng.below(2) == 0 ? Duration(1h) : wall_ahead_ > -9h ? Duration(-1h) : Duration{}; break;      // somebody sets the clock
    case 7:                                      // many modules fall silent at once, and come back
      if (net_.rng.below(2) == 0)
        for (auto& m : modules_)
          if (net_.rng.below(4) != 0) stop(m, lease + 1ms * static_cast<int>(net_.rng.below(1500)));
      break;
    case 8: std::swap(net_.drop_percent, crash_permille_); break;      // quiet networks with many crashes, and the other way round
  }
}

void World::run_until(MonoTime end) {
  bool over = false;
  net_.after(end - net_.now, [&over] { over = true; });
  while (!over && net_.step()) {}
}

void World::quiet() {
  net_.hostile = false;
  net_.heal();
  const auto revive = [this](Node& node) {
    wake(node);
    start(node);
  };
  revive(registry_);
  revive(site_);
  for (auto& c : controllers_) revive(c);
  for (auto& f : forwarders_) revive(f);
  twins_over_ = true;
  for (auto& m : modules_) revive(m);
  for (auto& c : controllers_)                   // a leader that was stopped before its message sends it now
    if (c.owner && c.token == elected_.token && elected_.journal.revision > 0) publish_split(c, elected_.journal);
  elected_.lease_end = net_.now;                 // an election, if one is due, is held with the next beat
}

// Lost disks and a clock that was set back leave an epoch that forwarders refuse, aloud, until an operator says otherwise.
void World::accept_smaller_epochs() {
  for (auto& f : forwarders_)
    for (const int source : {registry_node, site_node}) {
      auto& copy = f.copies[static_cast<std::size_t>(source)];
      if (owner_of(source)->options().epoch >= copy->epoch()) continue;
      need(copy->counters().refused_epoch > 0, "a smaller epoch was not refused aloud");
      const auto kept = copy->copy();
      auto options = subscriber_options();
      options.accept_any_epoch = true;
      copy.emplace(options, net_.rng(), net_.now);
      copy->preload(kept, net_.now);
      f.accepting[static_cast<std::size_t>(source)] = true;
    }
}

// An owner that lost its disk and names less than half of what was known is not believed about the rest, however long that lasts: what
// ends such a quarantine is the holder, key by key, or the owner, that is told again what it owns.
void World::end_quarantines() {
  for (auto& f : forwarders_) {
    auto& copy = *f.copies[site_node];
    const auto left = std::find_if(copy.facts().begin(), copy.facts().end(), [](const auto& one) { return one.second.quarantined; });
    if (left == copy.facts().end()) continue;
    const auto topic = left->first;
    const auto before = copy.quarantined();
    act(f, site_node, [&](auto& c) { return c.release(topic); });
    need(!copy.facts().contains(topic) && copy.quarantined() == before - 1, "a released key is still there");
  }
  for (int n = 0; site_.owner->topics() * 2 < site_keys; ++n)
    if (!site_.owner->find(site_topic(n))) site_says(site_topic(n), "again");
  run_until(net_.now + settle_latest);
  check_equal(true);
}

void World::run() {
  start(registry_);
  start(site_);
  for (auto& c : controllers_) start(c);
  for (auto& f : forwarders_) start(f);
  for (auto& m : modules_) start(m);
  const auto faults_end = net_.now + 6s;
  while (net_.now < faults_end) {
    run_until(net_.now + 1ms * static_cast<int>(20 + net_.rng.below(500)));
    fault();
  }
  quiet();
  frozen_ = true;                                // nothing new: what is known must reach everybody
  run_until(net_.now + 2 * beat);
  accept_smaller_epochs();
  run_until(net_.now + beat + 3 * beat + 500ms); // an election, three beats, and one back-off with its answer
  check_equal(false);
  frozen_ = false;
  run_until(net_.now + 3s + settle);
  frozen_ = true;
  run_until(net_.now + 4 * beat + 500ms);
  check_equal(true);
  need(registry_.owner->topics() == modules_count, "not every module is back");
  end_quarantines();
}

}  // namespace nlb::sim

namespace {

std::uint64_t number_from(const char* name, std::uint64_t otherwise) {
  const auto* text = std::getenv(name);
  return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

std::string broken(std::uint64_t seed) {
  try {
    nlb::sim::World(seed).run();
    return "";
  } catch (const nlb::sim::Broken& b) {
    return b.what;
  }
}

}  // namespace

TEST_CASE("copies never lie, never go back, are never emptied by absence, and end up equal, under every schedule of faults") {
  const auto one = number_from("NLB_SIM_SEED", 0);
  const auto first = one ? one : 1;
  const auto last = one ? one : number_from("NLB_SIM_SCHEDULES", 10000);
  for (auto seed = first; seed <= last; ++seed) {
    const auto what = broken(seed);
    if (!what.empty()) FAIL("NLB_SIM_SEED=" << seed << ": " << what);
  }
  SUCCEED(last - first + 1 << " schedules");
}
