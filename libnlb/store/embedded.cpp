#include "libnlb/store/embedded.hpp"

#include <algorithm>

namespace nlb::store {

namespace {

tl::unexpected<Error> lease_ended(const char* what) {
  return fail(ErrorKind::not_found, std::string(what) + ": the lease has ended: ask for a new one");
}

}  // namespace

class EmbeddedStore::EmbeddedWatch final : public Watch {
 public:
  EmbeddedWatch(EmbeddedStore& store, std::string prefix, Revision next) : store_(store), prefix_(std::move(prefix)), next_(next) {}

  Result<Batch> next(Duration wait) override {
    std::unique_lock lock(store_.mutex_);
    const auto until = store_.clock_() + wait;
    for (;;) {
      (void)store_.end_leases();              // a disk that is full now keeps the old state, and so do the watchers
      auto batch = store_.news(prefix_, next_);
      if (batch.compacted || !batch.events.empty() || !store_.waits_ || store_.clock_() >= until) return batch;
      store_.changed_.wait_until(lock, std::min(until, std::max(store_.next_end(), store_.clock_() + std::chrono::milliseconds(10))));
    }
  }

 private:
  EmbeddedStore& store_;
  std::string prefix_;
  Revision next_;
};

EmbeddedStore::EmbeddedStore(Clock clock, bool waits, std::unique_ptr<Ledger> ledger, Model model, LeaseId lease_last)
    : clock_(std::move(clock)), waits_(waits), ledger_(std::move(ledger)), model_(std::move(model)), lease_last_(lease_last) {}

Result<std::optional<Entry>> EmbeddedStore::get(const std::string& key) {
  const std::lock_guard lock(mutex_);
  (void)end_leases();
  const auto found = model_.facts().find(key);
  return found == model_.facts().end() ? std::nullopt : std::optional(found->second);
}

Result<Entries> EmbeddedStore::range(const std::string& prefix) {
  const std::lock_guard lock(mutex_);
  (void)end_leases();
  return Entries{model_.range(prefix), model_.revision()};
}

Result<Committed> EmbeddedStore::commit(const Transaction& transaction) {
  if (auto good = check(transaction); !good) return tl::unexpected(good.error());
  const std::lock_guard lock(mutex_);
  if (auto ended = end_leases(); !ended) return tl::unexpected(ended.error());
  auto events = model_.plan(transaction);
  if (!events) return tl::unexpected(events.error());
  if (events->empty() && transaction.journal.empty()) return Committed{model_.revision(), 0};
  const auto revision = events->empty() ? model_.revision() : model_.next_revision();
  const auto seq = ledger_->write({revision, *events, transaction.journal, std::nullopt, 0});
  if (!seq) return tl::unexpected(seq.error());
  model_.apply(*events);
  changed_.notify_all();
  return Committed{revision, transaction.journal.empty() ? 0 : *seq};
}

Result<Lease> EmbeddedStore::grant(Duration ttl, AfterRestart after) {
  if (ttl <= Duration::zero()) return fail(ErrorKind::bad_input, "lease: a time to live of " + format_duration(ttl) + ": it must be above 0");
  const std::lock_guard lock(mutex_);
  const std::pair<LeaseId, LeaseState> granted{lease_last_ + 1, {ttl, after, clock_() + ttl, {}}};
  if (auto written = ledger_->write({model_.revision(), {}, {}, granted, 0}); !written) return tl::unexpected(written.error());
  model_.add(granted.first, granted.second);
  changed_.notify_all();                      // watches may have to wake up earlier now
  return Lease{++lease_last_, ttl};
}

Result<Lease> EmbeddedStore::keep_alive(LeaseId lease) {
  const std::lock_guard lock(mutex_);
  const auto now = clock_();
  const auto* state = model_.lease(lease);
  if (state == nullptr || state->ends <= now) return lease_ended("keep alive");
  model_.renew(lease, now + state->ttl);
  return Lease{lease, state->ttl};
}

Result<> EmbeddedStore::revoke(LeaseId lease) {
  const std::lock_guard lock(mutex_);
  if (auto ended = end_leases(); !ended) return ended;
  if (model_.lease(lease) == nullptr) return lease_ended("revoke");
  return end_lease(lease);
}

Result<> EmbeddedStore::end_lease(LeaseId lease) {
  const auto events = model_.plan_end_of(lease);
  const auto revision = events.empty() ? model_.revision() : model_.next_revision();
  if (auto written = ledger_->write({revision, events, {}, std::nullopt, lease}); !written) return tl::unexpected(written.error());
  model_.apply(events);
  model_.drop(lease);
  changed_.notify_all();
  return {};
}

Result<> EmbeddedStore::end_leases() {
  const auto now = clock_();
  for (auto first = model_.next_end(); first && first->first <= now; first = model_.next_end())
    if (auto ended = end_lease(first->second); !ended) return ended;
  return {};
}

MonoTime EmbeddedStore::next_end() const {
  const auto first = model_.next_end();
  return first ? first->first : MonoTime::max();
}

Batch EmbeddedStore::news(const std::string& prefix, Revision& next) {
  if (next < model_.history_from()) return {{}, model_.revision(), true};
  Batch batch{model_.events(prefix, next), model_.revision(), false};
  next = std::max(next, model_.next_revision());
  return batch;
}

Result<std::unique_ptr<Watch>> EmbeddedStore::watch(const std::string& prefix, Revision from) {
  const std::lock_guard lock(mutex_);
  return std::make_unique<EmbeddedWatch>(*this, prefix, from > 0 ? from : model_.next_revision());
}

Result<> EmbeddedStore::compact(Revision before) {
  const std::lock_guard lock(mutex_);
  if (before > model_.revision())
    return fail(ErrorKind::bad_input, "compact: revision " + std::to_string(before) + " is above the store's " +
                                          std::to_string(model_.revision()) + ": name one that was");
  model_.compact(before);
  return {};
}

Result<std::vector<JournalRecord>> EmbeddedStore::journal(std::uint64_t from_seq, std::size_t count_max) {
  const std::lock_guard lock(mutex_);
  return ledger_->journal(from_seq, count_max);
}

Result<> EmbeddedStore::trim_journal(std::uint64_t before_seq) {
  const std::lock_guard lock(mutex_);
  return ledger_->trim_journal(before_seq);
}

}  // namespace nlb::store
