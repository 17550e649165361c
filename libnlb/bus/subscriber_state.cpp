#include "libnlb/bus/subscriber_state.hpp"

#include <algorithm>

#include "libnlb/bus/codec_topic.hpp"

namespace nlb::bus {

namespace {

constexpr std::string_view incomplete = "-";     // in place of a copy's classes: not all of them are in it

Duration jittered(Duration d, Rng& rng) { return d / 2 + Duration(static_cast<std::int64_t>(rng.uniform() * static_cast<double>(d.count()))); }

Update update_of(Message message, MonoTime now) {
  const auto age = std::min<std::uint64_t>(message.header.age_ms, 1000ull * 3600 * 24 * 365);
  return {std::move(message.topic), std::move(message.payload), message.header.seq, message.header.class_back,
          now - std::chrono::milliseconds(age)};
}

}  // namespace

SubscriberState::SubscriberState(SubscriberOptions options, std::uint64_t seed, MonoTime now)
    : options_(std::move(options)), rng_(seed), copy_(options_.facts_max, options_.quarantine_settle), heard_at_(now), ask_at_(now),
      reconnect_at_(now), request_id_(rng_()) {
  std::sort(options_.classes.begin(), options_.classes.end());
}

void SubscriberState::preload(Copy copy, MonoTime now) {
  want_all_ = copy.epoch != 0 && copy.classes != options_.classes;
  copy_.preload(std::move(copy));
  heard_at_ = now;
}

Copy SubscriberState::copy() const {
  auto copy = copy_.copy();
  if (refused_classes_.empty() && !want_all_) copy.classes = options_.classes;
  else copy.classes = {std::string(incomplete)};
  return copy;
}

SubscriberCounters SubscriberState::counters() const {
  auto all = counters_;
  static_cast<CopyCounters&>(all) = copy_.counters();
  return all;
}

// ---- what comes in

Effects SubscriberState::welcome(MonoTime now) {
  heard_at_ = now;
  if (phase_ == Phase::live || phase_ == Phase::stale) phase_ = Phase::connect;   // a new pipe: the next beat shows what was missed
  ask_for_refused();
  return {};
}

Effects SubscriberState::beat(const Header& header, const Beat& beat, MonoTime now) {
  Effects effects;
  const auto verdict = judge(header.epoch, header.owner);
  if (verdict == Verdict::refused) return effects;
  heard_at_ = now;
  owner_name_ = beat.owner_name;
  const bool ahead = verdict == Verdict::newer || want_all_ || behind(beat.heads);
  const bool fresh = phase_ == Phase::connect || phase_ == Phase::stale;
  if (phase_ == Phase::sync) return effects;
  if (!ahead) {
    phase_ = Phase::live;
    beats_behind_ = 0;
    copy_.complete_to(beat.head_seq);              // every class that is ours is complete up to there
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
  const bool newer_epoch = header.epoch != epoch();
  if (!newer_epoch && header.seq <= last) {
    ++counters_.duplicates;
    return;
  }
  const bool follows = header.class_back > 0 && header.class_back <= header.seq && header.seq - header.class_back <= last;
  if (!newer_epoch && follows) return copy_.put(update_of(std::move(message), now), effects.changes);
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
    copy_.count_over_limit();
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
    ask_for_refused();
    backoff_ = std::clamp(backoff_ * 2, silence, silence * 5);
    reconnect_at_ = now + jittered(backoff_, rng_);
  }
  if (phase_ == Phase::sync) {
    if (asked_at_ && now - *asked_at_ > options_.sync_timeout) restart_later(now);
    if (!asked_at_ && now >= ask_at_) ask(now, effects);
  }
  copy_.settle(now, hearing(), effects.changes);
  return effects;
}

Effects SubscriberState::release(std::string_view topic) {
  Effects effects;
  copy_.release(topic, effects.changes);
  return effects;
}

// ---- whom to believe

SubscriberState::Verdict SubscriberState::judge(std::uint64_t epoch, std::uint64_t owner) {
  if (options_.accept_any_epoch && epoch != copy_.epoch()) return Verdict::newer;
  if (epoch < copy_.epoch() || epoch == 0) {
    ++counters_.refused_epoch;
    return Verdict::refused;
  }
  if (epoch > copy_.epoch()) return Verdict::newer;
  if (owner == copy_.owner()) return Verdict::ours;
  ++counters_.refused_owner;
  return Verdict::refused;
}

bool SubscriberState::wanted(std::string_view topic_class) const {
  const auto in = [&](const std::vector<std::string>& classes) { return std::binary_search(classes.begin(), classes.end(), topic_class, std::less<>{}); };
  return (options_.classes.empty() || in(options_.classes)) && !in(refused_classes_);
}

bool SubscriberState::behind(const Heads& heads) const {
  return std::any_of(heads.begin(), heads.end(), [&](const auto& head) { return wanted(head.first) && head.second > last_of(head.first); });
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

void SubscriberState::ask_for_refused() {        // perhaps they are ours to read by now
  want_all_ |= !refused_classes_.empty();
  refused_classes_.clear();
}

void SubscriberState::ask(MonoTime now, Effects& effects) {
  chunks_.clear();
  chunk_entries_ = 0;
  asked_at_ = now;
  backoff_ = std::clamp(backoff_ * 2, options_.backoff_min, options_.backoff_max);
  ask_at_ = now + jittered(backoff_, rng_);      // not before then again, whatever happens
  // From the floor: a class that has gone on beyond it gets some updates twice, and steps over them.
  effects.request = SyncRequest{++request_id_, options_.classes, want_all_ ? 0 : copy_.epoch(), copy_.floor()};
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

// Whole, of an epoch that fits, and no answer from the past.
bool SubscriberState::believable() {
  const auto& head = chunks_.front();
  const bool new_epoch = head.epoch != copy_.epoch();
  const bool bad = !complete() || (head.delta && new_epoch), old = !new_epoch && head.seq < copy_.newest();
  counters_.bad_snapshots += bad;
  counters_.stale_snapshots += !bad && old;
  return !bad && !old;
}

void SubscriberState::finish(MonoTime now, Effects& effects) {
  if (!believable()) return restart_later(now);
  asked_at_.reset();
  ++(chunks_.front().delta ? counters_.deltas : counters_.snapshots);
  if (chunks_.front().delta) copy_.catch_up(chunks_, effects.changes);
  else copy_.swap_in(chunks_, now, effects.changes);
  if (!chunks_.front().delta) options_.accept_any_epoch = want_all_ = false;
  refused_classes_ = std::move(chunks_.back().refused_classes);
  std::sort(refused_classes_.begin(), refused_classes_.end());
  chunks_.clear();
  phase_ = Phase::live;
  beats_behind_ = 0;
  backoff_ = {};
  drain_queue(now, effects);
}

// News of a greater epoch than the answer's: either the owner has restarted since, or they are late, from a life whose epoch an operator
// let go back. The next answer holds them in the first case, so they are reason to ask once more, and not to ask for as long as they wait.
void SubscriberState::drain_queue(MonoTime now, Effects& effects) {
  auto waiting = std::exchange(queue_, {});
  bool newer = false;
  for (auto& message : waiting) {
    newer |= message.header.epoch > copy_.epoch();
    if (message.header.epoch != copy_.epoch()) continue;                           // of another life of the owner
    if (phase_ == Phase::live) step(std::move(message), now, effects);
    else queue(std::move(message), now);                                    // a hole in the queue itself
  }
  if (newer && phase_ == Phase::live) begin_sync(now, effects);
}

}  // namespace nlb::bus
