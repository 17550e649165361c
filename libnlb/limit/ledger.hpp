// Everything that limits count in, kept across reloads by the rules' names. The control thread alone looks things up
// here (while it builds a LimitSet); workers reach meters and clients through their set.
#pragma once

#include <array>
#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "libnlb/limit/client_table.hpp"

namespace nlb::limit {

struct alignas(64) Meter {   // shared by all workers, relaxed: `open` alone is bounded, by compare-and-swap
  Level sessions{0}, bytes{0};
  std::atomic<std::uint64_t> open{0};
  std::atomic<std::uint32_t> waiting{0};
  std::atomic<std::uint64_t> allowed{0}, denied_rate{0}, denied_connections{0};

  bool open_one(std::uint64_t most) {   // most 0: counted, not limited
    auto seen = open.load(std::memory_order_relaxed);
    while (most == 0 || seen < most)
      if (open.compare_exchange_weak(seen, seen + 1, std::memory_order_relaxed)) return true;
    return false;
  }
};

// The meters that one class of sessions holds while open. Append-only: a ticket names it by index for as long as the
// process lives.
using Hold = std::vector<std::shared_ptr<Meter>>;

class Ledger {
 public:
  explicit Ledger(std::uint64_t seed);

  // The meter of one rule for one protocol or service; its levels are worth the same share of the burst under the new
  // rates.
  std::shared_ptr<Meter> meter(const std::string& key, const Rate& sessions, const Rate& bytes, MonoTime now);
  std::uint32_t hold(const Hold& meters);                    // index plus 1; 0 for none
  const std::vector<std::shared_ptr<const Hold>>& holds() const { return holds_; }

  // The place of every per-client rule in the clients' entries: a known name keeps its place, a new one gets an unused
  // place, emptied.
  std::vector<std::uint32_t> client_places(const std::vector<std::string>& names);
  void set_client_rates(std::uint32_t place, const Rate& sessions, const Rate& bytes, MonoTime now);
  void reserve_clients(std::uint32_t clients_max);
  const std::shared_ptr<ClientTable>& clients() const { return clients_; }

  // Open sessions by place: sessions outlive the rule that they were admitted under, so this isn't in the rule's meter.
  std::array<std::atomic<std::uint64_t>, LimitSet::client_rules_max> client_open{};

 private:
  struct Account {
    std::shared_ptr<Meter> meter;
    Rate sessions, bytes;   // the latest
  };
  struct Place {
    std::string name;
    Rate sessions, bytes;
  };
  SipKey key_{};
  std::map<std::string, Account> accounts_;
  std::vector<std::shared_ptr<const Hold>> holds_;
  std::array<Place, LimitSet::client_rules_max> places_;
  std::shared_ptr<ClientTable> clients_;
};

}  // namespace nlb::limit
