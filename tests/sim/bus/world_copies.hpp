// The forwarders of the simulated balancer, and what must hold after each of their steps.
#pragma once

#include <cstdlib>
#include <sstream>

#include "tests/sim/bus/world.hpp"

namespace nlb::sim {

inline void World::start_forwarder(Forwarder& f) {
  bus::SubscriberOptions options;
  options.beat_interval = beat;
  options.backoff_min = 20ms;
  options.backoff_max = 200ms;
  options.sync_timeout = 200ms;
  options.quarantine_settle = settle;
  options.queue_max = 8;
  for (std::size_t source = 0; source < 3; ++source) {
    f.copies[source].emplace(options, net_.rng(), net_.now);
    f.copies[source]->preload(f.disk[source], net_.now);
    f.seen_epoch[source] = f.disk[source].epoch;
    f.seen_seq[source] = f.copies[source]->last_of(source == 0 ? "modules" : "splits");
  }
  restore_split(f);
  every(f, 50ms, [this, &f] { forwarder_tick(f); });
}

inline Intent intent_of(const std::string& payload) {
  Intent intent;
  std::istringstream(payload) >> intent.revision >> intent.rollout >> intent.canary >> intent.stable >> intent.rolled_back;
  return intent;
}

// What it acted on before the crash is in its copies: the later leader's word counts.
inline void World::restore_split(Forwarder& f) {
  f.fence.emplace();
  f.split = {};
  f.split_epoch = 0;
  for (const auto* copy : {&f.disk[1], &f.disk[2]})
    for (const auto& [topic, fact] : copy->facts) {
      if (copy->epoch <= f.split_epoch) continue;
      (void)f.fence->admit("splits", copy->epoch, copy->owner);
      f.split = intent_of(*fact.payload);
      f.split_epoch = copy->epoch;
    }
}

inline void World::forwarder_tick(Forwarder& f) {
  for (int source = 0; source < 3; ++source) act(f, source, [this](auto& copy) { return copy.tick(net_.now); });
  if (net_.rng.below(8) != 0) return;
  for (std::size_t source = 0; source < 3; ++source) {
    write();
    f.disk[source] = f.copies[source]->copy();
  }
}

inline void World::act(Forwarder& f, int source, const std::function<bus::Effects(bus::SubscriberState&)>& input) {
  const auto at = static_cast<std::size_t>(source);
  auto& copy = *f.copies[at];
  const auto before = copy.facts().size();
  const auto effects = input(copy);
  const auto who = "forwarder " + std::to_string(f.number) + ", source " + std::to_string(source) + ": ";
  const auto last = copy.last_of(source == 0 ? "modules" : "splits");
  need(copy.epoch() >= f.seen_epoch[at], who + "the epoch went back");
  if (copy.epoch() == f.seen_epoch[at]) need(last >= f.seen_seq[at], who + "the applied sequence went back");
  else if (f.seen_epoch[at] != 0) {
    const auto& history = source == 0 ? modules_history_ : splits_history_;
    const auto withdrawn = std::count_if(effects.changes.begin(), effects.changes.end(), [&](const bus::Change& c) {
      return c.kind == bus::Change::Kind::gone && history.withdrawn(copy.epoch(), c.topic);
    });
    need((copy.facts().size() + static_cast<std::size_t>(withdrawn)) * 2 >= before, who + "a new epoch emptied the copy");
  }
  f.seen_epoch[at] = copy.epoch();
  f.seen_seq[at] = last;
  if (!effects.changes.empty()) {
    const auto wrong = (source == 0 ? modules_history_ : splits_history_).judge(copy);
    need(wrong.empty(), who + wrong);
  }
  if (source != 0 && !effects.changes.empty()) {
    write();
    f.disk[at] = copy.copy();
    write();
    take_splits(f, source, effects);
  }
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

inline void World::take_splits(Forwarder& f, int source, const bus::Effects& effects) {
  for (const auto& change : effects.changes) {
    if (change.kind != bus::Change::Kind::put || !f.fence->admit("splits", change.epoch, change.owner)) continue;
    const auto next = intent_of(*change.payload);
    const auto who = "forwarder " + std::to_string(f.number) + ", controller " + std::to_string(source) + ": ";
    need(next.canary + next.stable == 10000, who + "weights don't sum to 10000");
    need(change.epoch >= f.split_epoch, who + "took an older leader's intent");
    need(next.revision >= f.split.revision, who + "the split went back");
    need(!(f.split.rolled_back && f.split.rollout == next.rollout && next.canary > 0), who + "a rollout that was rolled back has traffic again");
    const auto [owner, first] = split_owner_of_epoch_.emplace(change.epoch, change.owner);
    need(owner->second == change.owner, who + "two owners in one epoch");
    f.split = next;
    f.split_epoch = change.epoch;
  }
}

inline void World::broadcast(int source, const bus::OwnerState& owner, const bus::Update& update) {
  const bus::Message message{update.topic, owner.header(update, net_.now), update.payload};
  for (auto& f : forwarders_)
    net_.send(source, f.number, [this, &f, source, life = f.life, message] {    // a new process has a new connection
      guarded(f, [&] { if (f.life == life) act(f, source, [&](auto& copy) { return copy.news(message, net_.now); }); });
    });
}

inline void World::send_beat(int source) {
  const auto* owner = owner_of(source);
  if (!owner) return;
  for (auto& f : forwarders_)
    net_.send(source, f.number, [this, &f, source, life = f.life, header = owner->header_of_beat(nullptr), beat = owner->beat()] {
      guarded(f, [&] { if (f.life == life) act(f, source, [&](auto& copy) { return copy.beat(header, beat, net_.now); }); });
    });
}

inline void World::check_equal(bool quarantine_over) {
  for (auto& f : forwarders_) {
    for (int source = 0; source < 3; ++source) {
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
      if (quarantine_over) need(copy.quarantined() == 0, who + "still in quarantine");
    }
    need(f.split.revision == elected_.journal.revision, "after the faults a forwarder has split " + std::to_string(f.split.revision) +
         " and the journal " + std::to_string(elected_.journal.revision));
  }
}

}  // namespace nlb::sim
