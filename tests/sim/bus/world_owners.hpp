// The registry and its modules, the other site's registry, and the two controllers of the simulated balancer.
#pragma once

#include "tests/sim/bus/world.hpp"

namespace nlb::sim {

// Never decreasing while the disk lives; by the wall clock when it was lost, and that jumps.
inline std::uint64_t World::next_epoch(std::uint64_t& on_disk) {
  constexpr auto start = 10h;
  write();
  on_disk = std::max<std::uint64_t>(on_disk + 1, static_cast<std::uint64_t>((net_.now.time_since_epoch() + start + wall_ahead_) / 1us));
  write();
  return on_disk;
}

inline void World::start_registry() {
  const auto epoch = next_epoch(registry_.disk_epoch);
  registry::Limits limits;
  registry_.hearing_since = net_.now;
  registry_.members.emplace(limits, net_.rng(), net_.now);
  registry_.owner.emplace(bus::OwnerOptions{.id = registry_id, .name = "registry", .epoch = epoch, .beat_interval = beat, .log_max = 16,
                                            .chunk_entries_max = 3});
  registry_.beaten_at.clear();
  registry_.newest.clear();
  for (const auto& [id, stored] : registry_.disk) {
    registry_.members->restore(stored, net_.now);
    if (!stored.gone) registry_.newest[id] = stored.module.incarnation;
  }
  registry_.members->take_notices();
  for (const auto& module : registry_.members->list()) {
    const auto update = registry_.owner->publish(bus::make_topic("modules", {module->service, module->name}),
                                                 bus::make_payload(std::string(to_string(module->state.phase))), net_.now);
    modules_history_.record(registry_.owner->options().epoch, registry_id, *update);
    broadcast(0, *registry_.owner, *update);
  }
  every(registry_, 100ms, [this] { registry_tick(); });
  every(registry_, beat, [this] { send_beat(0); });
}

inline void World::registry_tick() {
  if (frozen_) return;
  auto& members = *registry_.members;
  if (net_.hostile && net_.rng.below(30) == 0) operate("web/" + modules_[net_.rng.below(modules_count)].name);
  for (auto& m : modules_)
    if (net_.rng.below(3) == 0) (void)members.checked("web/" + m.name, {m.up && !net_.cut(0, m.number), "refused", 1ms});
  members.tick(net_.now);
  flush_registry();
}

// Somebody unregisters a module by name, while its process goes on.
inline void World::operate(const std::string& id) {
  const auto drain = net_.rng.below(2) == 0 ? std::optional<Duration>(1ms * static_cast<int>(1 + net_.rng.below(800))) : std::nullopt;
  (void)registry_.members->remove(id, 0, drain, "by order", net_.now);
  flush_registry();
}

inline void World::keep(const registry::ModuleKey& key) {
  const auto id = registry::module_id(key);
  write();
  const auto stored = registry_.members->stored(key);
  if (stored) registry_.disk[id] = *stored;
  else registry_.disk.erase(id);
  if (stored && stored->dismissed) registry_.taken_out[id] = stored->module.incarnation;      // a promise from now on,
  else if (stored) registry_.taken_out.erase(id);                                             // and until a newer process has the name
  write();
}

inline void World::flush_registry() {            // journal, then tell
  for (const auto& notice : registry_.members->take_notices()) {
    const auto id = registry::module_id(notice.module->key());
    const auto topic = bus::make_topic("modules", {notice.module->service, notice.module->name});
    std::optional<bus::Update> update;
    const bool could_hear = net_.now >= registry_.hearing_since + lease;
    const bool on_its_way = notice.module->state.phase == registry::Phase::draining || notice.reason == "by order" || notice.reason == "leaving";
    if (notice.kind == registry::Notice::Kind::removed) {
      need(could_hear || on_its_way, "evicted within one lease of a restart or sleep: " + id + ": " + notice.reason);
      need(on_its_way || notice.reason != "lease ended" || !silent_with_others(id), "removed although many fell silent at once: " + id);
      registry_.newest.erase(id);
      keep(notice.module->key());
      update = registry_.owner->withdraw(topic, net_.now);
    } else {
      need(could_hear || notice.reason != "lease ended", "suspected within one lease of a restart or sleep: " + id);
      need(notice.module->incarnation >= registry_.newest[id], "an older process took the name back: " + id);
      const auto out = registry_.taken_out.find(id);
      need(out == registry_.taken_out.end() || notice.module->incarnation > out->second || notice.module->state.phase == registry::Phase::draining,
           "back though an operator took it out: " + id);
      registry_.newest[id] = notice.module->incarnation;
      keep(notice.module->key());
      const auto text = std::string(to_string(notice.module->state.phase)) + std::to_string(notice.revision);
      update = *registry_.owner->publish(topic, bus::make_payload(text), net_.now);
    }
    if (!update) continue;
    modules_history_.record(registry_.owner->options().epoch, registry_id, *update);
    broadcast(0, *registry_.owner, *update);
  }
}

// Were at least two and more than 15 % of the service silent when this one was judged? (Counted from what the registry heard, by its rule.)
inline bool World::silent_with_others(const std::string& id) const {
  const auto lease_end = [&](const std::string& one) {
    const auto found = registry_.beaten_at.find(one);
    return std::max(found == registry_.beaten_at.end() ? MonoTime{} : found->second, registry_.hearing_since) + lease;
  };
  const auto judged_at = lease_end(id) + lease / 3;
  std::size_t silent = 0;
  std::size_t members = 0;
  for (const auto& [one, stored] : registry_.disk) {
    members += !stored.gone;
    silent += !stored.gone && (one == id || lease_end(one) <= judged_at);
  }
  return silent >= registry::mass_least && silent * 100 > members * registry::mass_percent;
}

// ---- the other site

inline void World::start_site() {
  site_.owner.emplace(bus::OwnerOptions{.id = site_id, .name = "registry", .epoch = next_epoch(site_.disk_epoch), .beat_interval = beat, .log_max = 16,
                                        .chunk_entries_max = 3});
  for (const auto& [topic, text] : site_.disk) {
    const auto update = site_.owner->publish(topic, bus::make_payload(text), net_.now);
    site_history_.record(site_.owner->options().epoch, site_id, *update);
    broadcast(site_node, *site_.owner, *update);
  }
  site_.half_since.reset();                      // a new life has to be believed anew
  count_site();
  every(site_, 300ms, [this] { site_tick(); });
  every(site_, beat, [this] { send_beat(site_node); });
}

// Half of its keys are its own, half of them claim names of the first registry's modules.
inline std::string site_topic(int n) {
  return n % 2 == 0 ? "modules/api/s" + std::to_string(n) : "modules/web/m" + std::to_string(first_module + n / 2);
}

inline void World::site_tick() {
  if (frozen_) return;
  const auto topic = site_topic(static_cast<int>(net_.rng.below(site_keys)));
  write();
  if (net_.rng.below(6) != 0) return site_says(topic, "site " + std::to_string(net_.rng.below(1000)));
  site_.disk.erase(topic);
  write();
  const auto update = site_.owner->withdraw(topic, net_.now);
  if (!update) return;
  count_site();
  site_history_.record(site_.owner->options().epoch, site_id, *update);
  broadcast(site_node, *site_.owner, *update);
}

inline void World::site_says(const std::string& topic, const std::string& text) {
  site_.disk[topic] = text;
  write();
  const auto update = *site_.owner->publish(topic, bus::make_payload(text), net_.now);
  count_site();
  site_history_.record(site_.owner->options().epoch, site_id, update);
  broadcast(site_node, *site_.owner, update);
}

inline void World::count_site() {
  if (site_.owner->topics() * 2 < site_keys) site_.half_since.reset();
  else if (!site_.half_since) site_.half_since = net_.now;
}

// The registry's modules all come back. The site is told what it owns at random and may have lost its disk: below half of what was known
// it is not believed about the rest, and a quarantine that stays is then right (see libnlb/bus/copy_state.hpp).
inline bool World::quarantine_over_by_now(int source) const {
  return source != site_node || (site_.half_since && net_.now - *site_.half_since >= settle_latest);
}

// ---- modules

inline void World::start_module(Module& m) {
  m.incarnation = std::max(m.incarnation + 1, static_cast<std::uint64_t>(net_.now.time_since_epoch() / 1us) + 1);
  m.lease_id = 0;
  every(m, lease / 3, [this, &m] { module_tick(m); });
}

inline void World::module_tick(Module& m) {
  if (frozen_ || (twins_over_ && m.number >= first_twin)) return;
  const auto answer = [this, &m, life = m.life, call = ++m.calls](auto work) {      // a call that was given up has no answer
    net_.send(0, m.number, [this, &m, life, call, work] { guarded(m, [&] { if (m.life == life && m.calls == call) work(); }); });
  };
  const auto reply = [&m, answer](std::uint64_t lease_id) { answer([&m, lease_id] { m.lease_id = lease_id; }); };
  const auto stop = [answer] { answer([] { throw Crash{}; }); };      // another process has the name: a supervisor starts this one anew
  net_.send(m.number, 0, [this, &m, reply, stop, incarnation = m.incarnation, lease_id = m.lease_id] {
    guarded(registry_, [&] {
      if (frozen_) return;
      const auto& name = m.name;
      const auto id = "web/" + name;
      if (lease_id != 0) {
        const auto beaten = registry_.members->heartbeat(id, lease_id, {}, net_.now);
        if (beaten && beaten->wish != registry::Wish::stop) registry_.beaten_at[id] = net_.now;
        if (!beaten) reply(0);
        else if (beaten->wish == registry::Wish::stop) stop();
      } else {
        registry::Module module;
        module.name = name;
        module.service = "web";
        module.protocol = Protocol::http;
        module.data = {Endpoint::Kind::ip, 80, IpAddress::v4(0x7f000001), {}};
        module.incarnation = incarnation;
        module.lease = lease;
        if (const auto added = registry_.members->add(module, {}, net_.now)) {
          registry_.beaten_at[id] = net_.now;
          reply(added->lease_id);
        } else {
          stop();                                // a newer process has the name
        }
      }
      flush_registry();
    });
  });
  if (net_.hostile && net_.rng.below(60) == 0) {
    net_.send(m.number, 0, [this, &m, lease_id = m.lease_id] {
      guarded(registry_, [&] {
        if (frozen_ || lease_id == 0) return;
        (void)registry_.members->remove("web/" + m.name, lease_id, std::nullopt, "leaving", net_.now);
        flush_registry();
      });
    });
  }
}

inline void World::start_controller(Controller& c) {
  c.token = 0;
  c.owner.reset();
  c.merge.emplace(settle);
  c.acks.clear();
  std::vector<bus::Change> told;
  for (auto& copy : c.copies) {
    copy.emplace(subscriber_options(), net_.rng(), net_.now);
    c.merge->add(*copy, told);
  }
  every(c, beat, [this, &c] { controller_tick(c); });
  every(c, 50ms, [this, &c] {
    for (auto& f : forwarders_) hear_ack(c, f, [this](auto& copy) { return copy.tick(net_.now); });
  });
}

inline void World::controller_tick(Controller& c) {
  if (c.token == 0 || c.token != elected_.token) {
    c.token = 0;                                 // deposed; learned only now
    c.owner.reset();
    if (elected_.lease_end > net_.now) return;
    c.token = ++elected_.token;
    elected_.lease_end = net_.now + 600ms;
    write();
    c.owner.emplace(bus::OwnerOptions{.id = one_owner_ ? 20 : 20 + static_cast<std::uint64_t>(c.number), .name = "deploy", .epoch = c.token, .beat_interval = beat,
                                      .log_max = 4});
    if (elected_.journal.revision > 0) publish_split(c, elected_.journal);
  }
  if (c.token == 0) return;
  elected_.lease_end = net_.now + 600ms;
  send_beat(c.number);
  if (!frozen_ && net_.rng.below(4) == 0) new_intent(c);
}

inline void World::new_intent(Controller& c) {
  Intent next = elected_.journal;
  ++next.revision;
  if (next.rolled_back || next.rollout == 0) next = {next.revision, next.rollout + 1, 0, 10000, false};
  next.rolled_back = net_.rng.below(5) == 0;
  next.canary = next.rolled_back ? 0 : static_cast<int>(net_.rng.below(10001));
  next.stable = 10000 - next.canary;
  write();
  elected_.journal = next;                       // one transaction that compares the leader's token
  write();
  const auto stopped_for = net_.hostile && net_.rng.below(5) == 0 ? 1ms * static_cast<int>(net_.rng.below(2000)) : Duration{};
  if (stopped_for == Duration{}) return publish_split(c, next);
  pause(c);                                      // stopped between journal and message, continued when another may lead
  net_.after(stopped_for, [this, &c, next, life = c.life] {
    if (!c.up || c.life != life || !c.owner || !c.paused) return;
    wake(c);
    guarded(c, [&] {                             // it believes that it still leads, and beats
      send_beat(c.number);
      publish_split(c, next);
    });
  });
}

inline void World::publish_split(Controller& c, const Intent& i) {
  const auto text = std::to_string(i.revision) + " " + std::to_string(i.rollout) + " " + std::to_string(i.canary) + " " +
                    std::to_string(i.stable) + " " + std::to_string(i.rolled_back);
  const auto update = c.owner->publish("splits/web", bus::make_payload(text), net_.now);
  splits_history_.record(c.token, c.owner->options().id, *update);
  broadcast(c.number, *c.owner, *update);
}

}  // namespace nlb::sim
