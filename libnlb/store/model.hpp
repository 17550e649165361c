// What an embedded store knows, as a value: keys, leases, history. Decides what a transaction or the end of a lease would change; the
// caller makes that durable and applies it then. No clock, no lock, no file.
#pragma once

#include <deque>
#include <map>
#include <set>

#include "libnlb/store/store.hpp"

namespace nlb::store {

struct LeaseState {
  Duration ttl{};
  AfterRestart after = AfterRestart::renewed;
  MonoTime ends;
  std::set<std::string> keys;
};

class Model {
 public:
  // The events that `transaction` means now; conflict names the condition that doesn't hold, not_found the lease that isn't there.
  Result<std::vector<Event>> plan(const Transaction& transaction) const;
  std::vector<Event> plan_end_of(LeaseId lease) const;      // the removal of its keys
  void apply(const std::vector<Event>& events);             // one revision; nothing when empty

  // From the disk, after its leases were added: state without history. Whoever watches from an earlier revision has to read again.
  void restore(std::map<std::string, Entry> facts, Revision revision);

  Revision revision() const { return revision_; }
  Revision next_revision() const { return revision_ + 1; }
  const std::map<std::string, Entry>& facts() const { return facts_; }
  std::vector<Entry> range(const std::string& prefix) const;

  Revision history_from() const { return history_from_; }   // events of earlier revisions may be gone
  void compact(Revision before);
  std::vector<Event> events(const std::string& prefix, Revision from) const;   // O(log history + events)

  const LeaseState* lease(LeaseId id) const;                // null: it isn't there
  void add(LeaseId id, LeaseState lease);
  void renew(LeaseId id, MonoTime ends);                    // precondition: it is there
  void drop(LeaseId id);                                    // precondition: its keys are gone
  std::optional<std::pair<MonoTime, LeaseId>> next_end() const;   // the lease that ends first

 private:
  Result<> holds(const Condition& condition) const;
  void apply(const Event& event);
  void bind(const std::string& key, LeaseId from, LeaseId to);

  std::map<std::string, Entry> facts_;
  std::map<LeaseId, LeaseState> leases_;
  std::set<std::pair<MonoTime, LeaseId>> ends_;             // of all leases
  std::deque<Event> history_;
  Revision revision_ = 1;          // as in etcd: 1 is the empty store
  Revision history_from_ = 1;
};

bool starts_with(const std::string& key, const std::string& prefix);

}  // namespace nlb::store
