// The subscriber's half of the bus, for one owner, as a state machine: messages and time in, changes and wishes out. No socket, no clock.
//
//   connect   nothing heard yet. A welcome says that the pipe is there; the first beat says that our subscriptions are, too (the
//             owner reads them in order, and `beat` is subscribed to last): from then on nothing newer can be missed.
//   sync      asked for what is missing; news are queued meanwhile. A snapshot is built aside and swapped in whole, then the queue.
//             Of a delta only the last word on each fenced key counts: the words before it are history, and a split that was taken
//             back in the meantime must not live again for a moment.
//   live      each message must follow the one before it in its class (`seq - class_back <= last`). A hole, or a beat that is ahead of
//             us twice, means sync again, after a jittered back-off.
//   stale     nothing heard for three beats: the copy stays, its age grows, and fresh sockets are wished for.
//
// Epochs. A greater one means that the owner restarted: its snapshot replaces the copy, but a class that comes back empty or with less
// than half of its keys is in quarantine: the missing keys stay, marked, until the owner names them, the holder releases them, or the
// owner has known at least half of them for `quarantine_settle`. A smaller epoch is somebody from the past: refused and counted. Two
// owners in one epoch: the first one seen is right. Thread rule: one owner, no locks.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "libnlb/bus/codec_sync.hpp"
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

struct Fact {
  Payload payload;
  std::uint64_t seq = 0;
  MonoTime made_at;
  bool quarantined = false;
};

struct Change {
  enum class Kind : std::uint8_t { put, gone, quarantined };
  Kind kind = Kind::put;
  std::string topic;
  Payload payload;                       // null for gone
  std::uint64_t epoch = 0;
  std::uint64_t owner = 0;
  MonoTime made_at;
  std::uint64_t seq = 0;                 // of the update; for a key that is gone without a word: of its last one
};

struct SubscriberCounters {
  std::uint64_t applied = 0, duplicates = 0, gaps = 0, behind = 0, syncs = 0, sync_retries = 0, snapshots = 0, deltas = 0, epochs = 0;
  std::uint64_t refused_epoch = 0, refused_owner = 0, stale_snapshots = 0, bad_snapshots = 0, queue_overflows = 0, over_limit = 0;
  std::uint64_t quarantines = 0, reconnects = 0;
};

// What is to be done after a step. `changes` are in order; a snapshot's are its difference to the copy before.
struct Effects {
  std::vector<Change> changes;
  std::optional<SyncRequest> request;
  bool reconnect = false;                // throw both sockets away and connect fresh ones
};

struct Copy {                            // what is worth keeping over a restart of the subscriber itself
  std::uint64_t epoch = 0, owner = 0;
  std::uint64_t seq = 0;                 // complete up to here
  Heads last;                            // and in these classes beyond it
  std::map<std::string, Fact, std::less<>> facts;
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
  std::uint64_t epoch() const { return epoch_; }
  std::uint64_t owner() const { return owner_; }
  MonoTime heard_at() const { return heard_at_; }
  bool synced() const { return epoch_ != 0; }          // a snapshot was applied or preloaded
  const std::map<std::string, Fact, std::less<>>& facts() const { return facts_; }
  std::size_t quarantined() const { return quarantined_; }
  const SubscriberCounters& counters() const { return counters_; }
  const std::string& owner_name() const { return owner_name_; }
  Copy copy() const;
  std::uint64_t last_of(std::string_view topic_class) const;   // every update of the class up to here is applied

 private:
  struct Quarantine { std::size_t known = 0; std::optional<MonoTime> believable_since; };
  enum class Verdict : std::uint8_t { ours, newer, refused };

  Verdict judge(std::uint64_t epoch, std::uint64_t owner);
  bool wanted(std::string_view topic_class) const;
  bool behind(const Heads& heads) const;
  void begin_sync(MonoTime now, Effects& effects);
  void ask(MonoTime now, Effects& effects);
  void restart_later(MonoTime now);
  void queue(Message message, MonoTime now);
  void step(Message message, MonoTime now, Effects& effects);
  void put(Update update, Effects& effects);
  enum class Say : std::uint8_t { everything, differences };
  void apply(const Update& update, Say how, Effects& effects);
  bool complete() const;
  void finish(MonoTime now, Effects& effects);
  void catch_up(Effects& effects);
  void swap_in(MonoTime now, bool new_epoch, Effects& effects);
  void remove(std::map<std::string, Fact, std::less<>>::iterator at, Effects& effects);
  void settle_quarantines(MonoTime now, Effects& effects);
  void drain_queue(MonoTime now, Effects& effects);

  SubscriberOptions options_;
  Rng rng_;
  Phase phase_ = Phase::connect;
  std::uint64_t epoch_ = 0, owner_ = 0;
  std::string owner_name_;
  std::map<std::string, Fact, std::less<>> facts_;
  std::uint64_t floor_ = 0;              // everything up to here is applied, in every class
  Heads last_;                           // and beyond it, by class
  std::map<std::string, Quarantine, std::less<>> quarantines_;
  std::size_t quarantined_ = 0;
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
