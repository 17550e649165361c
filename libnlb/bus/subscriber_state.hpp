// The subscriber's half of the bus, for one owner, as a state machine: messages and time in, changes and wishes out. No socket, no clock.
//
//   connect   nothing heard yet. A welcome says that the pipe is there; the first beat says that our subscriptions are, too (the
//             owner reads them in order, and `beat` is subscribed to last): from then on nothing newer can be missed.
//   sync      asked for what is missing; news are queued meanwhile. A snapshot is built aside and swapped in whole, then the queue.
//             Of a delta only the last word on each guarded key counts: the words before it are history, and a split that was taken
//             back in the meantime must not live again for a moment.
//   live      each message must follow the one before it in its class (`seq - class_back <= last`). A hole, or a beat that is ahead of
//             us twice, means sync again, after a jittered back-off.
//   stale     nothing heard for three beats: the copy stays, its age grows, and fresh sockets are wished for.
//
// Epochs. A greater one means that the owner restarted: its snapshot replaces the copy, within the guard of copy_state. A smaller epoch
// is somebody from the past: refused and counted. Two owners in one epoch: the first one seen is right. Classes that the owner refuses
// us (our key's role lacks them) count as not asked for until the next answer says otherwise. Thread rule: one owner, no locks.
#pragma once

#include <deque>
#include <optional>
#include <vector>

#include "libnlb/bus/copy_state.hpp"
#include "libnlb/core/rng.hpp"

namespace nlb::bus {

struct SubscriberOptions {
  std::vector<std::string> classes{};    // sorted; empty: all
  Duration beat_interval = std::chrono::seconds(1);
  std::uint32_t beats_missed_max = 3;
  std::uint32_t beats_behind_max = 2;
  Duration backoff_min = std::chrono::milliseconds(100);
  Duration backoff_max = std::chrono::seconds(5);
  Duration sync_timeout = std::chrono::seconds(1);   // of silence, not of the whole answer
  Duration quarantine_settle = std::chrono::seconds(120);
  std::size_t queue_max = 10000;         // news kept while syncing; more: start over
  std::size_t facts_max = 100000;        // keys in the copy, and in a snapshot being built
  bool accept_any_epoch = false;         // an operator's word after a lost disk and a clock set back: the next snapshot is believed
};

struct SubscriberCounters : CopyCounters {
  std::uint64_t duplicates = 0, gaps = 0, behind = 0, syncs = 0, sync_retries = 0, snapshots = 0, deltas = 0;
  std::uint64_t refused_epoch = 0, refused_owner = 0, stale_snapshots = 0, bad_snapshots = 0, queue_overflows = 0, reconnects = 0;
};

// What is to be done after a step. `changes` are in order; a snapshot's are its difference to the copy before.
struct Effects {
  std::vector<Change> changes;
  std::optional<SyncRequest> request;
  bool reconnect = false;                // throw both sockets away and connect fresh ones
};

class SubscriberState {
 public:
  enum class Phase : std::uint8_t { connect, sync, live, stale };

  SubscriberState(SubscriberOptions options, std::uint64_t seed, MonoTime now);

  // Starts from what was known before: the facts are there at once, and a matching epoch costs a delta instead of a snapshot.
  void preload(Copy copy, MonoTime now);

  Effects welcome(MonoTime now);
  Effects beat(const Header& header, const Beat& beat, MonoTime now);
  Effects news(Message message, MonoTime now);
  Effects chunk(SyncChunk chunk, MonoTime now);
  Effects tick(MonoTime now);            // call every 50 ms or so
  Effects release(std::string_view topic);   // the holder no longer believes a quarantined key

  Phase phase() const { return phase_; }
  Hearing hearing() const { return phase_ == Phase::live ? Hearing::live : phase_ == Phase::stale ? Hearing::silent : Hearing::catching_up; }
  std::uint64_t epoch() const { return copy_.epoch(); }
  std::uint64_t owner() const { return copy_.owner(); }
  MonoTime heard_at() const { return heard_at_; }
  bool synced() const { return copy_.epoch() != 0; }   // a snapshot was applied or preloaded
  const Facts& facts() const { return copy_.facts(); }
  std::size_t quarantined() const { return copy_.quarantined(); }
  SubscriberCounters counters() const;
  const std::string& owner_name() const { return owner_name_; }
  const std::vector<std::string>& refused_classes() const { return refused_classes_; }   // sorted
  Copy copy() const;
  std::uint64_t last_of(std::string_view topic_class) const { return copy_.last_of(topic_class); }

 private:
  enum class Verdict : std::uint8_t { ours, newer, refused };

  Verdict judge(std::uint64_t epoch, std::uint64_t owner);
  bool wanted(std::string_view topic_class) const;
  bool behind(const Heads& heads) const;
  void begin_sync(MonoTime now, Effects& effects);
  void ask(MonoTime now, Effects& effects);
  void ask_for_refused();
  void restart_later(MonoTime now);
  void queue(Message message, MonoTime now);
  void step(Message message, MonoTime now, Effects& effects);
  bool complete() const;
  bool believable();
  void finish(MonoTime now, Effects& effects);
  void drain_queue(MonoTime now, Effects& effects);

  SubscriberOptions options_;
  Rng rng_;
  Phase phase_ = Phase::connect;
  CopyState copy_;
  std::string owner_name_;
  std::vector<std::string> refused_classes_;
  bool want_all_ = false;                // classes may have been added since the copy was complete: a delta wouldn't hold what is old
  MonoTime heard_at_, ask_at_, reconnect_at_;
  Duration backoff_{};
  std::uint32_t beats_behind_ = 0;
  std::uint64_t request_id_ = 0;
  std::optional<MonoTime> asked_at_;     // a request is out
  std::vector<SyncChunk> chunks_;
  std::size_t chunk_entries_ = 0;
  std::deque<Message> queue_;
  SubscriberCounters counters_;
};

constexpr std::string_view to_string(SubscriberState::Phase phase) {
  switch (phase) {
    case SubscriberState::Phase::connect: return "connect";
    case SubscriberState::Phase::sync: return "sync";
    case SubscriberState::Phase::live: return "live";
    case SubscriberState::Phase::stale: return "stale";
  }
  return "connect";
}

}  // namespace nlb::bus
