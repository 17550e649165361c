// The owner's half of the bus as a state machine: facts in, numbered updates, beats and answers to catching up out. No socket, no clock.
//
// Each fact is one key with its whole state. Publishing gives it the owner's next sequence number; the last `log_max` updates are kept,
// so that who missed a few gets a delta and who missed more gets everything (etcd's watch does the same with its compaction revision).
// A restart begins a new epoch: numbers of different epochs say nothing about each other. Thread rule: one owner, no locks.
#pragma once

#include <deque>
#include <map>
#include <optional>

#include "libnlb/bus/codec_sync.hpp"

namespace nlb::bus {

struct OwnerOptions {
  std::uint64_t id = 0;                // who: the same over restarts
  std::string name{};                  // for people: "registry", "forward/edge-1"
  std::uint64_t epoch = 0;             // durable and never decreasing; for an elected owner its fencing token
  bool elected = false;                // a store's election says who publishes: an ipc path is taken from a deposed one, stopped as it may be
  Duration beat_interval = std::chrono::seconds(1);
  std::size_t log_max = 4096;          // updates kept for deltas
  std::size_t topics_max = 100000;
  std::size_t classes_max = 32;
  std::size_t chunk_entries_max = 2000;
  std::size_t chunk_bytes_max = std::size_t{1} << 20;
};

class OwnerState {
 public:
  explicit OwnerState(OwnerOptions options);

  // The update to send. Refused: a topic that is none, a payload over 16 MiB, or more keys or classes than the limits.
  Result<Update> publish(std::string_view topic, Payload payload, MonoTime now);

  // A key that isn't there is no error: what is to be gone is gone. Then there is nothing to send.
  std::optional<Update> withdraw(std::string_view topic, MonoTime now);

  Header header(const Update& update, MonoTime now) const;
  Header header_of_beat(const Payload& payload) const;
  Beat beat() const;

  // Delta when the asker's epoch is ours and the log reaches back to what it has; otherwise the snapshot, sorted by topic.
  // Always at least one chunk; the last one carries count and hash.
  std::vector<SyncChunk> answer(const SyncRequest& request) const;

  std::uint64_t head() const { return head_; }
  std::size_t topics() const { return facts_.size(); }
  const OwnerOptions& options() const { return options_; }
  const Update* find(std::string_view topic) const;

 private:
  Update number(std::string_view topic, Payload payload, MonoTime now);
  std::vector<SyncChunk> chunks(const SyncRequest& request, const std::vector<const Update*>& entries, bool delta) const;

  OwnerOptions options_;
  std::uint64_t head_ = 0;
  Heads heads_;
  std::map<std::string, Update, std::less<>> facts_;
  std::deque<Update> log_;             // contiguous numbers, ends with head_
};

}  // namespace nlb::bus
