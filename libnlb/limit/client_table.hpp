// What is remembered about each client: a bounded, sharded table of levels and open sessions.
//
// Each shard has chained hash buckets over an array of entries, and its own spin flag: a critical section is a few
// dozen instructions, and workers, one per core, seldom want the same shard. Memory comes in chunks as clients come,
// up to table_max. When a shard is full, a clock hand looks at a few entries for a victim: the first with nothing
// open and nothing spent, whose loss changes nothing; else the one with nothing open that will be full the soonest.
// An entry with open sessions is never evicted, so a ticket's entry stays valid. Hashing is keyed: clients can't
// choose addresses that share a bucket.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "libnlb/core/address.hpp"
#include "libnlb/core/hash.hpp"
#include "libnlb/limit/bucket.hpp"
#include "libnlb/limit/limits.hpp"

namespace nlb::limit {

struct ClientSlot {                     // one client under one rule
  Level sessions{0}, bytes{0};
  std::uint64_t open = 0;
};

struct ClientEntry {                    // guarded by its shard's flag
  IpAddress address;
  std::uint32_t next = 0;               // chain, plus 1
  std::uint32_t references = 0;         // tickets
  std::array<ClientSlot, LimitSet::client_rules_max> slots;
};

// The address that a client is counted under: IPv4 whole, IPv6 cut to its /64.
IpAddress counted_as(IpAddress client);

class ClientTable {
 public:
  static constexpr std::uint32_t probes_max = 32;          // entries looked at for a victim
  static constexpr std::uint32_t one_shard_below = 4096;   // clients: small tables keep their exact size

  ClientTable(std::uint32_t clients_max, const SipKey& key);
  ClientTableStats stats() const;
  void grow(std::uint32_t clients_max);   // control thread; never shrinks, since tickets name entries by number

  // Runs use(entry, number) on the client's entry, new or known. False when there is no room: every entry looked at
  // has sessions open.
  template <class Use>
  bool with_client(const IpAddress& client, MonoTime now, Use use) {
    const auto hash = siphash(key_, client.bytes());
    const auto shard_number = static_cast<std::uint32_t>(hash) & shard_mask_;
    Shard& shard = shards_[shard_number];
    const Guard guard(shard.flag);
    const auto at = find_or_make(shard, hash, client, now);
    if (at == none) return false;
    use(shard.entry(at), at << shard_bits_ | shard_number);
    return true;
  }
  // Precondition: a ticket holds the entry.
  template <class Use>
  void with_entry(std::uint32_t number, Use use) {
    Shard& shard = shards_[number & shard_mask_];
    const Guard guard(shard.flag);
    use(shard.entry(number >> shard_bits_));
  }
  template <class Use>
  void for_each(Use use) {
    for (Shard& shard : shards_) {
      const Guard guard(shard.flag);
      for (std::uint32_t i = 0; i < shard.used; ++i) use(shard.entry(i));
    }
  }

 private:
  static constexpr std::uint32_t none = 0xffffffff, chunk_bits = 8;
  struct alignas(64) Shard {
    mutable std::atomic<int> flag{0};   // int: what a futex waits on, so waking nobody costs one load
    std::uint32_t used = 0, most = 0, hand = 0;
    std::vector<std::uint32_t> heads;   // plus 1; a power of two
    std::vector<std::unique_ptr<ClientEntry[]>> chunks;
    std::uint64_t evicted_idle = 0, evicted_spent = 0, untracked = 0;
    ClientEntry& entry(std::uint32_t at) { return chunks[at >> chunk_bits][at & ((1u << chunk_bits) - 1)]; }
  };
  class Guard {
   public:
    explicit Guard(std::atomic<int>& flag) : flag_(flag) {
      while (flag_.exchange(1, std::memory_order_acquire) != 0) flag_.wait(1, std::memory_order_relaxed);
    }
    ~Guard() {
      flag_.store(0, std::memory_order_release);
      flag_.notify_one();
    }
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;

   private:
    std::atomic<int>& flag_;
  };

  std::uint32_t& head(Shard& shard, std::uint64_t hash) { return shard.heads[(hash >> 32) & (shard.heads.size() - 1)]; }
  std::uint32_t find_or_make(Shard& shard, std::uint64_t hash, const IpAddress& client, MonoTime now);
  std::uint32_t take_entry(Shard& shard, MonoTime now);
  std::uint32_t victim(Shard& shard, MonoTime now);
  void unlink(Shard& shard, std::uint32_t at);
  void resize(Shard& shard, std::uint32_t most);

  SipKey key_;
  std::uint32_t shard_bits_, shard_mask_;
  std::vector<Shard> shards_;
};

}  // namespace nlb::limit
