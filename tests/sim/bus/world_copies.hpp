// The forwarders of the simulated balancer, and what must hold after each of their steps.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <sstream>

#include "tests/sim/bus/world.hpp"

namespace nlb::sim {

inline bus::SubscriberOptions subscriber_options() {
  bus::SubscriberOptions options;
  options.beat_interval = beat;
  options.backoff_min = 20ms;
  options.backoff_max = 200ms;
  options.sync_timeout = 200ms;
  options.quarantine_settle = settle;
  options.queue_max = 8;
  return options;
}

// What it acted on before the crash is in its copies: the later leader's word counts.
inline void World::start_forwarder(Forwarder& f) {
  f.owner.emplace(bus::OwnerOptions{.id = 30 + static_cast<std::uint64_t>(f.number), .name = "forward", .epoch = next_epoch(f.disk_epoch), .beat_interval = beat,
                                    .log_max = 4});
  f.merge.emplace(settle);
  f.modules.clear();
  f.split = {};
  f.split_epoch = 0;
  std::vector<bus::Change> told;
  for (std::size_t source = 0; source < sources_count; ++source) {
    f.copies[source].emplace(subscriber_options(), net_.rng(), net_.now);
    f.copies[source]->preload(f.disk[source], net_.now);
    f.seen_epoch[source] = f.disk[source].epoch;
    f.seen_seq[source] = f.copies[source]->last_of(class_of(static_cast<int>(source)));
    f.merge->add(*f.copies[source], told);
  }
  tell(f, std::move(told));
  every(f, 50ms, [this, &f] { forwarder_tick(f); });
  every(f, beat, [this, &f] { send_beat(f.number); });
}

inline Intent intent_of(const std::string& payload) {
  Intent intent;
  std::istringstream(payload) >> intent.revision >> intent.rollout >> intent.canary >> intent.stable >> intent.rolled_back;
  return intent;
}

inline void World::forwarder_tick(Forwarder& f) {
  for (int source = 0; source < static_cast<int>(sources_count); ++source) act(f, source, [this](auto& copy) { return copy.tick(net_.now); });
  std::vector<bus::Change> told;
  f.merge->tick(net_.now, told);
  tell(f, std::move(told));
  if (net_.rng.below(8) != 0) return;
  for (std::size_t source = 0; source < sources_count; ++source) {
    write();
    f.disk[source] = f.copies[source]->copy();
  }
}

inline void World::act(Forwarder& f, int source, const std::function<bus::Effects(bus::SubscriberState&)>& input) {
  const auto at = static_cast<std::size_t>(source);
  auto& copy = *f.copies[at];
  const auto before = copy.facts().size();
  auto effects = input(copy);
  const auto need_here = [&](bool holds, const char* what) {
    if (!holds) need(false, "forwarder " + std::to_string(f.number) + ", source " + std::to_string(source) + ": " + what);
  };
  const auto last = copy.last_of(class_of(source));
  if (f.accepting[at] && copy.epoch() < f.seen_epoch[at]) f.accepting[at] = false, f.seen_epoch[at] = 0;
  need_here(copy.epoch() >= f.seen_epoch[at], "the epoch went back");
  if (copy.epoch() == f.seen_epoch[at]) need_here(last >= f.seen_seq[at], "the applied sequence went back");
  else if (f.seen_epoch[at] != 0) {
    const auto withdrawn = std::count_if(effects.changes.begin(), effects.changes.end(), [&](const bus::Change& c) {
      return c.kind == bus::Change::Kind::gone && history_of(source).withdrawn(copy.epoch(), c.topic);
    });
    need_here((copy.facts().size() + static_cast<std::size_t>(withdrawn)) * 2 >= before, "a new epoch emptied the copy");
  }
  f.seen_epoch[at] = copy.epoch();
  f.seen_seq[at] = last;
  if (!effects.changes.empty()) {
    const auto wrong = history_of(source).judge(copy);
    need_here(wrong.empty(), wrong.c_str());
    if (copy.phase() == bus::SubscriberState::Phase::live || !effects.changes.empty()) {
      write();
      f.disk[at] = copy.copy();
      write();
    }
  }
  std::vector<bus::Change> told;
  f.merge->heard(at, std::move(effects.changes), told);
  tell(f, std::move(told));
  check_merge(f);
  if (effects.request)
    net_.send(f.number, source, [this, &f, source, life = f.life, request = *effects.request] {
      guarded(node_of(source), [&] {
        auto* owner = owner_of(source);
        if (!owner) return;
        for (const auto& chunk : answer(source, *owner, request))
          net_.send(source, f.number, [this, &f, source, life, chunk] {
            guarded(f, [&] { if (f.life == life) act(f, source, [&](auto& c) { return c.chunk(chunk, net_.now); }); });
          });
      });
    });
  if (effects.reconnect)
    net_.send(source, f.number, [this, &f, source] {
      if (node_of(source).up) guarded(f, [&] { act(f, source, [this](auto& c) { return c.welcome(net_.now); }); });
    });
}

inline void World::tell(Forwarder& f, std::vector<bus::Change> told) {
  for (const auto& change : told) {
    if (bus::class_of(change.topic) == "splits") take_split(f, change);
    else if (change.kind == bus::Change::Kind::gone) f.modules.erase(change.topic);
    else f.modules[change.topic] = {*change.payload, change.kind == bus::Change::Kind::quarantined};
  }
}

// The merge told exactly what its rule makes of the two registries' copies: nothing that happened to one of them touched the other's.
inline void World::check_merge(const Forwarder& f) const {
  std::map<std::string_view, const bus::Fact*> right;      // nothing copied: this runs more often than anything else here
  for (const bool quarantined : {false, true})
    for (const auto source : {registry_node, site_node})
      for (const auto& [topic, fact] : f.copies[static_cast<std::size_t>(source)]->facts())
        if (fact.quarantined == quarantined) right.try_emplace(topic, &fact);
  const bool equal = std::equal(right.begin(), right.end(), f.modules.begin(), f.modules.end(), [](const auto& one, const auto& told) {
    return one.first == told.first && *one.second->payload == told.second.first && one.second->quarantined == told.second.second;
  });
  if (equal) return;
  std::string difference;
  for (const auto& [topic, fact] : right)
    if (const auto found = f.modules.find(std::string(topic)); found == f.modules.end() || found->second != std::pair(*fact->payload, fact->quarantined))
      difference += std::string(topic) + " should be \"" + *fact->payload + "\" ";
  for (const auto& [topic, value] : f.modules)
    if (!right.contains(topic)) difference += topic + " should not be there ";
  need(false, "forwarder " + std::to_string(f.number) + ", the merged copy: " + difference);
}

// Now and then an old snapshot is the answer, from a cache or a disk image that was put back.
inline std::vector<bus::SyncChunk> World::answer(int source, const bus::OwnerState& owner, const bus::SyncRequest& request) {
  auto& old = old_answers_[static_cast<std::size_t>(source)];
  auto chunks = owner.answer(request);
  if (!net_.hostile) return chunks;
  if (!old.empty() && net_.rng.below(10) == 0) {
    chunks = old[net_.rng.below(old.size())];
    for (auto& chunk : chunks) chunk.id = request.id;
  } else if (!chunks.front().delta) {
    old.push_back(chunks);
  }
  return chunks;
}

inline void World::take_split(Forwarder& f, const bus::Change& change) {
  if (change.kind != bus::Change::Kind::put) return;
  const auto next = intent_of(*change.payload);
  const auto who = "forwarder " + std::to_string(f.number) + ": ";
  need(next.canary + next.stable == 10000, who + "weights don't sum to 10000");
  need(change.epoch >= f.split_epoch, who + "took an older leader's intent");
  const auto [owner, first] = split_owner_of_epoch_.emplace(change.epoch, change.owner);
  need(owner->second == change.owner, who + "took two owners' intents in one epoch");
  need(next.revision >= f.split.revision, who + "took an older revision");
  if (f.split.rolled_back && next.rollout == f.split.rollout)
    need(next.canary == 0, who + "rollout " + std::to_string(next.rollout) + " was rolled back and has canary weight again");
  f.split = next;
  f.split_epoch = change.epoch;
  acknowledge(f);
}

// ---- what was applied, and who hears of it

inline void World::acknowledge(Forwarder& f) {
  const auto update = *f.owner->publish("applied/f" + std::to_string(f.number) + "/web", bus::make_payload(std::to_string(f.split.revision)), net_.now);
  applied_histories_[static_cast<std::size_t>(f.number - first_forwarder)].record(f.owner->options().epoch, f.owner->options().id, update);
  broadcast(f.number, *f.owner, update);
}

inline void World::hear_ack(Controller& c, Forwarder& f, const std::function<bus::Effects(bus::SubscriberState&)>& input) {
  const auto at = static_cast<std::size_t>(f.number - first_forwarder);
  auto effects = input(*c.copies[at]);
  const auto wrong = applied_histories_[at].judge(*c.copies[at]);
  need(wrong.empty(), "controller " + std::to_string(c.number) + ", forwarder " + std::to_string(f.number) + ": " + wrong);
  std::vector<bus::Change> told;
  c.merge->heard(at, std::move(effects.changes), told);
  for (const auto& change : told) {
    if (change.kind == bus::Change::Kind::gone) c.acks.erase(change.topic);
    else c.acks[change.topic] = *change.payload;
  }
  if (!effects.request) return;
  net_.send(c.number, f.number, [this, &c, &f, life = c.life, request = *effects.request] {
    guarded(f, [&] {
      for (const auto& chunk : f.owner->answer(request))
        net_.send(f.number, c.number, [this, &c, &f, life, chunk] {
          guarded(c, [&] { if (c.life == life) hear_ack(c, f, [&](auto& copy) { return copy.chunk(chunk, net_.now); }); });
        });
    });
  });
}

inline void World::broadcast(int source, const bus::OwnerState& owner, const bus::Update& update) {
  const bus::Message message{update.topic, owner.header(update, net_.now), update.payload};
  const auto to = [&](auto& node, auto hear) {               // a new process has a new connection
    net_.send(source, node.number, [this, &node, life = node.life, hear] { guarded(node, [&] { if (node.life == life) hear(); }); });
  };
  if (source < first_forwarder)
    for (auto& f : forwarders_) to(f, [this, &f, source, message] { act(f, source, [&](auto& copy) { return copy.news(message, net_.now); }); });
  else
    for (auto& c : controllers_)
      to(c, [this, &c, source, message] {
        hear_ack(c, forwarders_[static_cast<std::size_t>(source - first_forwarder)], [&](auto& copy) { return copy.news(message, net_.now); });
      });
}

inline void World::send_beat(int source) {
  const auto* owner = owner_of(source);
  if (!owner) return;
  const auto to = [&](auto& node, auto hear) {
    net_.send(source, node.number, [this, &node, life = node.life, hear] { guarded(node, [&] { if (node.life == life) hear(); }); });
  };
  const auto header = owner->header_of_beat(nullptr);
  const auto said = owner->beat();
  if (source < first_forwarder)
    for (auto& f : forwarders_) to(f, [this, &f, source, header, said] { act(f, source, [&](auto& copy) { return copy.beat(header, said, net_.now); }); });
  else
    for (auto& c : controllers_)
      to(c, [this, &c, source, header, said] {
        hear_ack(c, forwarders_[static_cast<std::size_t>(source - first_forwarder)], [&](auto& copy) { return copy.beat(header, said, net_.now); });
      });
}

inline void World::check_equal(bool quarantine_over) {
  for (auto& f : forwarders_) {
    for (int source = 0; source < static_cast<int>(sources_count); ++source) {
      const auto* owner = owner_of(source);
      if (!owner) continue;
      const auto& copy = *f.copies[static_cast<std::size_t>(source)];
      const auto who = "after the faults, forwarder " + std::to_string(f.number) + ", source " + std::to_string(source) + ": ";
      need(copy.phase() != bus::SubscriberState::Phase::stale, who + "is stale");
      need(copy.epoch() == owner->options().epoch, who + "has another epoch");
      need(copy.facts().size() - copy.quarantined() == owner->topics(), who + "has " + std::to_string(copy.facts().size()) + " facts, " +
           std::to_string(copy.quarantined()) + " of them quarantined, and the owner has " + std::to_string(owner->topics()));
      for (const auto& [topic, fact] : copy.facts())
        if (!fact.quarantined) need(owner->find(topic) && *owner->find(topic)->payload == *fact.payload, who + topic + " differs");
      if (quarantine_over && quarantine_over_by_now(source)) need(copy.quarantined() == 0, who + "still in quarantine");
    }
    need(f.split.revision == elected_.journal.revision, "after the faults a forwarder has split " + std::to_string(f.split.revision) +
         " and the journal " + std::to_string(elected_.journal.revision));
  }
  for (auto& c : controllers_) {
    if (c.token == 0 || c.token != elected_.token || elected_.journal.revision == 0) continue;
    for (auto& f : forwarders_) {
      const auto found = c.acks.find("applied/f" + std::to_string(f.number) + "/web");
      need(found != c.acks.end() && found->second == std::to_string(elected_.journal.revision),
           "after the faults the leader doesn't know that forwarder " + std::to_string(f.number) + " has applied its split");
    }
  }
}

}  // namespace nlb::sim
