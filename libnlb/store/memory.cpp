#include "libnlb/store/memory.hpp"

#include "libnlb/store/embedded.hpp"

namespace nlb::store {

namespace {

class MemoryLedger final : public Ledger {
 public:
  Result<std::uint64_t> write(const LedgerWrite& change) override {
    for (const auto& record : change.journal) {
      records_.push_back(record);
      records_.back().seq = ++last_;
    }
    return last_;
  }
  Result<std::vector<JournalRecord>> journal(std::uint64_t from_seq, std::size_t count_max) override {
    std::vector<JournalRecord> found;
    for (const auto& record : records_)
      if (record.seq >= from_seq && found.size() < count_max) found.push_back(record);
    return found;
  }
  Result<> trim_journal(std::uint64_t before_seq) override {
    while (!records_.empty() && records_.front().seq < before_seq) records_.pop_front();
    return {};
  }

 private:
  std::deque<JournalRecord> records_;
  std::uint64_t last_ = 0;
};

}  // namespace

std::unique_ptr<Store> make_memory_store(Clock clock) {
  return std::make_unique<EmbeddedStore>(std::move(clock), false, std::make_unique<MemoryLedger>(), Model(), 0);
}

}  // namespace nlb::store
