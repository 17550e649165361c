#include "libnlb/bus/subscriber_state.hpp"

#include <algorithm>

#include "libnlb/bus/codec_topic.hpp"

namespace nlb::bus {

namespace {

Duration jittered(Duration d, Rng& rng) { return d / 2 + Duration(static_cast<std::int64_t>(rng.uniform() * static_cast<double>(d.count()))); }

// Only what has one owner is missed when it is gone: a forwarder that restarts has no traffic yet, and nothing is wrong with that.
bool guarded(std::string_view topic_class) {
  const auto* known = find_class(topic_class);
  return known == nullptr || known->fenced;
}

Update update_of(Message message, MonoTime now) {
  const auto age = std::min<std::uint64_t>(message.header.age_ms, 1000ull * 3600 * 24 * 365);
  return {std::move(message.topic), std::move(message.payload), message.header.seq, message.header.class_back,
          now - std::chrono::milliseconds(age)};
}

}  // namespace

SubscriberState::SubscriberState(SubscriberOptions options, std::uint64_t seed, MonoTime now)
    : options_(std::move(options)), rng_(seed), heard_at_(now), ask_at_(now), reconnect_at_(now), request_id_(rng_()) {
  std::sort(options_.classes.begin(), options_.classes.end());
}

void SubscriberState::preload(Copy copy, MonoTime now) {
  epoch_ = copy.epoch;
  owner_ = copy.owner;
  floor_ = copy.seq;
  last_ = std::move(copy.last);
  facts_ = std::move(copy.facts);
  quarantined_ = 0;
  for (const auto& [topic, fact] : facts_) {
    if (!fact.quarantined) continue;
    ++quarantined_;
    ++quarantines_[std::string(class_of(topic))].known;
  }
  heard_at_ = now;
}

Copy SubscriberState::copy() const { return {epoch_, owner_, floor_, last_, facts_}; }

// ---- what comes in

Effects SubscriberState::welcome(MonoTime now) {
  heard_at_ = now;
  if (phase_ == Phase::live || phase_ == Phase::stale) phase_ = Phase::connect;   // a new pipe: the next beat shows what was missed
  return {};
}

Effects SubscriberState::beat(const Header& header, const Beat& beat, MonoTime now) {
  Effects effects;
  const auto verdict = judge(header.epoch, header.owner);
  if (verdict == Verdict::refused) return effects;
  heard_at_ = now;
  owner_name_ = beat.owner_name;
  const bool ahead = verdict == Verdict::newer || behind(beat.heads);
  const bool fresh = phase_ == Phase::connect || phase_ == Phase::stale;
  if (phase_ == Phase::sync) return effects;
  if (!ahead) {
    phase_ = Phase::live;
    beats_behind_ = 0;
    floor_ = std::max(floor_, beat.head_seq);      // every class that is ours is complete up to there
    return effects;
  }
  if (fresh && synced()) ask_at_ = std::max(ask_at_, now + jittered(options_.backoff_min, rng_));   // not everybody at once
  if (!fresh && verdict == Verdict::ours) {
    if (++beats_behind_ < options_.beats_behind_max) return effects;
    ++counters_.behind;
  }
  begin_sync(now, effects);
  return effects;
}

Effects SubscriberState::news(Message message, MonoTime now) {
  Effects effects;
  const auto verdict = judge(message.header.epoch, message.header.owner);
  if (verdict == Verdict::refused || !wanted(class_of(message.topic))) return effects;
  heard_at_ = now;
  switch (phase_) {
    case Phase::connect:
    case Phase::stale: break;                     // the beat that ends this phase also shows what was missed
    case Phase::sync: queue(std::move(message), now); break;
    case Phase::live: step(std::move(message), now, effects); break;
  }
  return effects;
}

// Every message of this epoch goes through here, in the order of its class or not at all.
void SubscriberState::step(Message message, MonoTime now, Effects& effects) {
  const auto& header = message.header;
  const auto last = last_of(class_of(message.topic));
  const bool newer_epoch = header.epoch != epoch_;
  if (!newer_epoch && header.seq <= last) {
    ++counters_.duplicates;
    return;
  }
  const bool follows = header.class_back > 0 && header.class_back <= header.seq && header.seq - header.class_back <= last;
  if (!newer_epoch && follows) return put(update_of(std::move(message), now), effects);
  if (!newer_epoch) ++counters_.gaps;
  begin_sync(now, effects);
  queue(std::move(message), now);
}

Effects SubscriberState::chunk(SyncChunk chunk, MonoTime now) {
  Effects effects;
  const auto verdict = judge(chunk.epoch, chunk.owner);
  if (verdict == Verdict::refused) return effects;
  heard_at_ = now;
  if (phase_ != Phase::sync || !asked_at_ || chunk.id != request_id_) return effects;     // the answer to a question we gave up
  const bool fits = chunk.index == chunks_.size() &&
                    (chunks_.empty() || (chunk.epoch == chunks_[0].epoch && chunk.seq == chunks_[0].seq &&
                                         chunk.owner == chunks_[0].owner && chunk.delta == chunks_[0].delta));
  if (!fits) {
    if (chunk.index >= chunks_.size()) restart_later(now);      // one was lost; one that comes twice does no harm
    return effects;
  }
  asked_at_ = now;                                              // it is coming: the timeout is for silence
  chunk_entries_ += chunk.entries.size();
  const bool last = chunk.last;
  chunks_.push_back(std::move(chunk));
  if (chunk_entries_ > options_.facts_max) {
    ++counters_.over_limit;
    restart_later(now);
  } else if (last) {
    finish(now, effects);
  }
  return effects;
}

Effects SubscriberState::tick(MonoTime now) {
  Effects effects;
  const auto silence = options_.beat_interval * options_.beats_missed_max;
  if (now - heard_at_ > silence && phase_ != Phase::stale) {
    phase_ = Phase::stale;
    asked_at_.reset();
    queue_.clear();
    chunks_.clear();
    reconnect_at_ = now;
    backoff_ = {};
  }
  if (phase_ == Phase::stale && now >= reconnect_at_) {
    effects.reconnect = true;
    ++counters_.reconnects;
    backoff_ = std::clamp(backoff_ * 2, silence, silence * 5);
    reconnect_at_ = now + jittered(backoff_, rng_);
  }
  if (phase_ == Phase::sync) {
    if (asked_at_ && now - *asked_at_ > options_.sync_timeout) restart_later(now);
    if (!asked_at_ && now >= ask_at_) ask(now, effects);
  }
  settle_quarantines(now, effects);
  return effects;
}

Effects SubscriberState::release(std::string_view topic) {
  Effects effects;
  const auto found = facts_.find(topic);
  if (found != facts_.end() && found->second.quarantined) remove(found, effects);
  return effects;
}

// ---- whom to believe

SubscriberState::Verdict SubscriberState::judge(std::uint64_t epoch, std::uint64_t owner) {
  if (options_.accept_any_epoch && epoch != epoch_) return Verdict::newer;
  if (epoch < epoch_ || epoch == 0) {
    ++counters_.refused_epoch;
    return Verdict::refused;
  }
  if (epoch > epoch_) return Verdict::newer;
  if (owner == owner_) return Verdict::ours;
  ++counters_.refused_owner;
  return Verdict::refused;
}

bool SubscriberState::wanted(std::string_view topic_class) const {
  return options_.classes.empty() || std::binary_search(options_.classes.begin(), options_.classes.end(), topic_class, std::less<>{});
}

bool SubscriberState::behind(const Heads& heads) const {
  return std::any_of(heads.begin(), heads.end(), [&](const auto& head) { return wanted(head.first) && head.second > last_of(head.first); });
}

std::uint64_t SubscriberState::last_of(std::string_view topic_class) const {
  const auto found = last_.find(topic_class);
  return found == last_.end() ? floor_ : std::max(found->second, floor_);
}

// ---- catching up

void SubscriberState::begin_sync(MonoTime now, Effects& effects) {
  phase_ = Phase::sync;
  beats_behind_ = 0;
  asked_at_.reset();
  chunks_.clear();
  ++counters_.syncs;
  if (now >= ask_at_) ask(now, effects);
}

void SubscriberState::ask(MonoTime now, Effects& effects) {
  chunks_.clear();
  chunk_entries_ = 0;
  asked_at_ = now;
  backoff_ = std::clamp(backoff_ * 2, options_.backoff_min, options_.backoff_max);
  ask_at_ = now + jittered(backoff_, rng_);      // not before then again, whatever happens
  // From the floor: a class that has gone on beyond it gets some updates twice, and steps over them.
  effects.request = SyncRequest{++request_id_, options_.classes, epoch_, floor_};
}

void SubscriberState::restart_later(MonoTime now) {
  asked_at_.reset();
  chunks_.clear();
  ++counters_.sync_retries;
  ask_at_ = std::max(ask_at_, now + jittered(std::max(backoff_, options_.backoff_min), rng_));
}

void SubscriberState::queue(Message message, MonoTime now) {
  if (queue_.size() >= options_.queue_max) {
    ++counters_.queue_overflows;
    queue_.clear();                               // the snapshot that is asked for next holds what was thrown away
    restart_later(now);
  }
  queue_.push_back(std::move(message));
}

bool SubscriberState::complete() const {
  std::uint32_t hash = 0;
  for (const auto& chunk : chunks_)
    for (const auto& entry : chunk.entries) hash = sync_hash(entry, hash);
  return chunks_.back().count == chunk_entries_ && chunks_.back().hash == hash;
}

void SubscriberState::finish(MonoTime now, Effects& effects) {
  const auto& head = chunks_.front();
  const bool new_epoch = head.epoch != epoch_;
  const auto newest = std::max_element(last_.begin(), last_.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  const auto known = std::max(floor_, newest == last_.end() ? 0 : newest->second);
  if (!complete() || (head.delta && new_epoch)) {
    ++counters_.bad_snapshots;
    return restart_later(now);
  }
  if (!new_epoch && head.seq < known) {           // an answer from the past
    ++counters_.stale_snapshots;
    return restart_later(now);
  }
  asked_at_.reset();
  if (head.delta) {
    ++counters_.deltas;
    catch_up(effects);
  } else {
    swap_in(now, new_epoch, effects);
  }
  floor_ = head.seq;
  last_.clear();
  chunks_.clear();
  phase_ = Phase::live;
  beats_behind_ = 0;
  backoff_ = {};
  drain_queue(now, effects);
}

void SubscriberState::catch_up(Effects& effects) {
  std::map<std::string_view, std::uint64_t> last_words;
  for (const auto& chunk : chunks_)
    for (const auto& update : chunk.entries) last_words[update.topic] = update.seq;
  for (const auto& chunk : chunks_)
    for (const auto& update : chunk.entries) {
      const auto topic_class = class_of(update.topic);
      const bool history = guarded(topic_class) && update.seq != last_words[update.topic];
      if (!history && update.seq > last_of(topic_class)) put(update, effects);
    }
}

void SubscriberState::swap_in(MonoTime now, bool new_epoch, Effects& effects) {
  ++counters_.snapshots;
  if (new_epoch) {
    counters_.epochs += epoch_ != 0;
    epoch_ = chunks_.front().epoch;
    owner_ = chunks_.front().owner;
    options_.accept_any_epoch = false;
  }
  std::map<std::string, std::pair<std::size_t, std::size_t>, std::less<>> sizes;      // class: known before, named now
  for (const auto& [topic, fact] : facts_) ++sizes[std::string(class_of(topic))].first;
  std::set<std::string_view> named;
  for (const auto& chunk : chunks_)
    for (const auto& entry : chunk.entries) {
      named.insert(entry.topic);
      ++sizes[std::string(class_of(entry.topic))].second;
    }
  for (auto at = facts_.begin(); at != facts_.end();) {
    const auto here = at++;
    if (named.contains(here->first)) continue;
    auto& fact = here->second;
    const auto topic_class = class_of(here->first);
    const auto& [before, after] = sizes.find(topic_class)->second;
    const bool shrunk = new_epoch && after * 2 < before && guarded(topic_class);
    if (!shrunk && !(fact.quarantined && !new_epoch)) {
      remove(here, effects);
      continue;
    }
    auto& quarantine = quarantines_[std::string(topic_class)];
    quarantine.known = std::max(quarantine.known, before);
    if (fact.quarantined) continue;
    fact.quarantined = true;
    ++quarantined_;
    ++counters_.quarantines;
    effects.changes.push_back({Change::Kind::quarantined, here->first, fact.payload, epoch_, owner_, fact.made_at, fact.seq});
  }
  for (auto& chunk : chunks_)
    for (auto& entry : chunk.entries) apply(entry, Say::differences, effects);
  settle_quarantines(now, effects);
}

void SubscriberState::drain_queue(MonoTime now, Effects& effects) {
  auto waiting = std::exchange(queue_, {});
  for (auto& message : waiting) {
    if (message.header.epoch < epoch_) continue;                            // of the owner's earlier life
    if (phase_ == Phase::live) step(std::move(message), now, effects);
    else queue(std::move(message), now);                                    // a hole in the queue itself
  }
}

// ---- the copy

void SubscriberState::put(Update update, Effects& effects) {
  auto& last = last_[std::string(class_of(update.topic))];
  last = std::max(last, update.seq);
  apply(update, Say::everything, effects);
}

void SubscriberState::apply(const Update& update, Say how, Effects& effects) {
  const auto found = facts_.find(update.topic);
  if (update.gone()) {
    if (found == facts_.end()) return;
    found->second.seq = update.seq;
    remove(found, effects);
    return;
  }
  if (found == facts_.end() && facts_.size() >= options_.facts_max) {
    ++counters_.over_limit;
    return;
  }
  auto& fact = found != facts_.end() ? found->second : facts_[update.topic];
  const bool same = !fact.quarantined && fact.payload && *fact.payload == *update.payload;
  quarantined_ -= fact.quarantined;
  fact = {update.payload, update.seq, update.made_at, false};
  ++counters_.applied;
  if (same && how == Say::differences) return;
  effects.changes.push_back({Change::Kind::put, update.topic, update.payload, epoch_, owner_, update.made_at, update.seq});
}

void SubscriberState::remove(std::map<std::string, Fact, std::less<>>::iterator at, Effects& effects) {
  quarantined_ -= at->second.quarantined;
  ++counters_.applied;
  effects.changes.push_back({Change::Kind::gone, at->first, nullptr, epoch_, owner_, at->second.made_at, at->second.seq});
  facts_.erase(at);
}

void SubscriberState::settle_quarantines(MonoTime now, Effects& effects) {
  if (quarantined_ == 0) {
    if (!quarantines_.empty()) quarantines_.clear();
    return;
  }
  for (auto& [topic_class, quarantine] : quarantines_) {
    std::vector<std::string> left;
    std::size_t named = 0;
    for (auto at = facts_.lower_bound(topic_class); at != facts_.end() && at->first.starts_with(topic_class); ++at) {
      if (class_of(at->first) != topic_class) continue;
      at->second.quarantined ? left.push_back(at->first) : void(++named);
    }
    const bool believable = phase_ == Phase::live && named * 2 >= quarantine.known;
    if (!believable) quarantine.believable_since.reset();
    else if (!quarantine.believable_since) quarantine.believable_since = now;
    else if (now - *quarantine.believable_since >= options_.quarantine_settle)
      for (const auto& topic : left) remove(facts_.find(topic), effects);
  }
}

}  // namespace nlb::bus
