// Which failures count as evidence: a bad event is a client whose first failure in the last 60 seconds was now.
//
// Failures come in bursts from one broken client, and stickiness puts the whole burst on one colour: judged by raw events, bursts of
// ten roll back 42 % of good releases. One set remembers the clients that failed, on either colour, so that a broken client whom a
// rising weight moves from stable to the canary isn't new evidence either.
//
// Bounded: a full set thins itself. It then remembers, and counts, only clients whose hash falls into one half of the hashes, then a
// quarter, and so on, for both colours alike, so that the ratio that the judge looks at stays unbiased. (A bitmap that saturates would
// undercount the colour with more failures, and blame the other.) It widens again when it is nearly empty.
//
// Give it a keyed hash (SipHash) of the client's address: what clients choose must not steer the thinning.
// One owner (a forwarder's worker, or its control thread); not thread safe. All costs O(1), amortised.
#pragma once

#include <cstdint>
#include <vector>

namespace nlb::rollout {

inline constexpr std::int64_t distinct_seconds = 60;
inline constexpr std::size_t distinct_clients_max = 4096;   // 96 KiB when it has grown to its limit

class FailingClients {
 public:
  explicit FailingClients(std::size_t clients_max = distinct_clients_max);

  // True when this failure is a new bad event. A client that keeps failing stays the same event until 60 quiet seconds have passed.
  bool first_failure(std::uint64_t client_key, std::int64_t second);

  std::size_t size() const { return used_; }
  unsigned thinned_bits() const { return thinned_bits_; }   // 0: every client counts; k: one in 2^k
  std::uint64_t raw_total() const { return raw_total_; }
  std::uint64_t distinct_total() const { return distinct_total_; }

 private:
  struct Slot { std::uint64_t key = 0; std::int64_t last = empty; };
  static constexpr std::int64_t empty = INT64_MIN;
  bool in_sample(std::uint64_t key) const;
  Slot& find(std::uint64_t key);
  void rebuild(std::int64_t second);   // drops what expired or fell out of the sample; grows or shrinks the table
  void make_room(std::int64_t second);

  std::size_t clients_max_;
  std::vector<Slot> slots_;
  std::size_t used_ = 0;
  unsigned thinned_bits_ = 0;
  std::int64_t swept_ = empty;
  std::uint64_t raw_total_ = 0, distinct_total_ = 0;
};

// Five connect failures in a row, from three clients, is a hard stop. Kept per version beside the set above.
class ConnectRun {
 public:
  void failed(std::uint64_t client_key);
  void succeeded() { failures_ = clients_ = 0; }
  std::uint32_t failures() const { return failures_; }
  std::uint32_t clients() const { return clients_; }   // counts to 3 and stops

 private:
  static constexpr std::uint32_t clients_max = 3;
  std::uint32_t failures_ = 0, clients_ = 0;
  std::uint64_t seen_[clients_max] = {};
};

}  // namespace nlb::rollout
