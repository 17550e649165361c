#include "libnlb/store/model.hpp"

#include <algorithm>

namespace nlb::store {

bool starts_with(const std::string& key, const std::string& prefix) { return key.compare(0, prefix.size(), prefix) == 0; }

Result<> Model::holds(const Condition& condition) const {
  const auto found = facts_.find(condition.key);
  const auto is = found == facts_.end()                    ? 0
                  : condition.of == Condition::Of::created ? found->second.created
                                                           : found->second.modified;
  if (is == condition.revision) return {};
  return tl::unexpected(conflict_of(condition, is));
}

Result<std::vector<Event>> Model::plan(const Transaction& transaction) const {
  for (const auto& condition : transaction.when)
    if (auto held = holds(condition); !held) return tl::unexpected(held.error());
  std::vector<Event> events;
  for (const auto& operation : transaction.then) {
    const auto old = facts_.find(operation.key);
    if (operation.kind == Operation::Kind::remove) {
      if (old != facts_.end()) events.push_back({true, {operation.key, {}, 0, next_revision(), 0}});
      continue;
    }
    if (operation.lease != 0 && !leases_.contains(operation.lease))
      return fail(ErrorKind::not_found, "put '" + operation.key + "': its lease has ended: ask for a new one");
    const auto created = old == facts_.end() ? next_revision() : old->second.created;
    events.push_back({false, {operation.key, operation.value, created, next_revision(), operation.lease}});
  }
  return events;
}

std::vector<Event> Model::plan_end_of(LeaseId lease) const {
  std::vector<Event> events;
  for (const auto& key : leases_.at(lease).keys) events.push_back({true, {key, {}, 0, next_revision(), 0}});
  return events;
}

void Model::apply(const std::vector<Event>& events) {
  if (events.empty()) return;
  for (const auto& event : events) apply(event);
  ++revision_;
  while (history_.size() > history_events_max) compact(history_.front().entry.modified + 1);   // whole revisions
}

void Model::apply(const Event& event) {
  const auto old = facts_.find(event.entry.key);
  bind(event.entry.key, old == facts_.end() ? 0 : old->second.lease, event.removed ? 0 : event.entry.lease);
  if (event.removed)
    facts_.erase(old);
  else
    facts_[event.entry.key] = event.entry;
  history_.push_back(event);
}

void Model::bind(const std::string& key, LeaseId from, LeaseId to) {
  if (const auto lease = leases_.find(from); lease != leases_.end()) lease->second.keys.erase(key);
  if (const auto lease = leases_.find(to); lease != leases_.end()) lease->second.keys.insert(key);
}

const LeaseState* Model::lease(LeaseId id) const {
  const auto found = leases_.find(id);
  return found == leases_.end() ? nullptr : &found->second;
}

void Model::add(LeaseId id, LeaseState lease) {
  ends_.emplace(lease.ends, id);
  leases_.emplace(id, std::move(lease));
}

void Model::renew(LeaseId id, MonoTime ends) {
  auto& lease = leases_.at(id);
  ends_.erase({lease.ends, id});
  ends_.emplace(ends, id);
  lease.ends = ends;
}

void Model::drop(LeaseId id) {
  ends_.erase({leases_.at(id).ends, id});
  leases_.erase(id);
}

std::optional<std::pair<MonoTime, LeaseId>> Model::next_end() const {
  return ends_.empty() ? std::nullopt : std::optional(*ends_.begin());
}

void Model::restore(std::map<std::string, Entry> facts, Revision revision) {
  facts_ = std::move(facts);
  revision_ = revision;
  history_from_ = revision + 1;
  for (const auto& [key, entry] : facts_) bind(key, 0, entry.lease);
}

std::vector<Entry> Model::range(const std::string& prefix) const {
  std::vector<Entry> found;
  for (auto at = facts_.lower_bound(prefix); at != facts_.end() && starts_with(at->first, prefix); ++at) found.push_back(at->second);
  return found;
}

void Model::compact(Revision before) {
  history_from_ = std::max(history_from_, before);
  while (!history_.empty() && history_.front().entry.modified < history_from_) history_.pop_front();
}

std::vector<Event> Model::events(const std::string& prefix, Revision from) const {
  const auto earlier = [](const Event& event, Revision revision) { return event.entry.modified < revision; };
  std::vector<Event> found;
  for (auto at = std::lower_bound(history_.begin(), history_.end(), from, earlier); at != history_.end(); ++at)
    if (starts_with(at->entry.key, prefix)) found.push_back(*at);
  return found;
}

}  // namespace nlb::store
