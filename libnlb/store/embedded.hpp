// A store inside one process: the model, a lock, a clock, and a ledger that makes each change durable before the model takes it.
// Leases end when somebody looks: every call first ends those whose time is over, and a waiting watch wakes up for them.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>

#include "libnlb/store/clock.hpp"
#include "libnlb/store/model.hpp"

namespace nlb::store {

struct LedgerWrite {                          // one atomic step
  Revision revision = 0;                      // after it
  std::vector<Event> events;
  std::vector<JournalRecord> journal;
  std::optional<std::pair<LeaseId, LeaseState>> granted;
  LeaseId ended = 0;
};

class Ledger {                                // called under the store's lock
 public:
  virtual ~Ledger() = default;
  virtual Result<std::uint64_t> write(const LedgerWrite& change) = 0;   // the seq of the last journal record; all or nothing
  virtual Result<std::vector<JournalRecord>> journal(std::uint64_t from_seq, std::size_t count_max) = 0;
  virtual Result<> trim_journal(std::uint64_t before_seq) = 0;
};

class EmbeddedStore final : public Store {
 public:
  // `waits`: the clock is the real one, so a watch may wait. `model` is what the ledger held; `lease_last` the last id it gave.
  EmbeddedStore(Clock clock, bool waits, std::unique_ptr<Ledger> ledger, Model model, LeaseId lease_last);

  Result<std::optional<Entry>> get(const std::string& key) override;
  Result<Entries> range(const std::string& prefix) override;
  Result<Committed> commit(const Transaction& transaction) override;
  Result<Lease> grant(Duration ttl, AfterRestart after) override;
  Result<Lease> keep_alive(LeaseId lease) override;
  Result<> revoke(LeaseId lease) override;
  Result<std::unique_ptr<Watch>> watch(const std::string& prefix, Revision from) override;
  Result<> compact(Revision before) override;
  Result<std::vector<JournalRecord>> journal(std::uint64_t from_seq, std::size_t count_max) override;
  Result<> trim_journal(std::uint64_t before_seq) override;

 private:
  class EmbeddedWatch;
  Result<> end_lease(LeaseId lease);
  Result<> end_leases();                      // those whose time is over; on an error the rest stay, and the next call tries again
  MonoTime next_end() const;
  Batch news(const std::string& prefix, Revision& next);

  Clock clock_;
  bool waits_;
  std::unique_ptr<Ledger> ledger_;
  std::mutex mutex_;                          // guards all below, and the ledger
  std::condition_variable changed_;
  Model model_;
  LeaseId lease_last_;
};

}  // namespace nlb::store
