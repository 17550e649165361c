#include "libnlb/scale/pool.hpp"

#include <algorithm>
#include <tuple>

namespace nlb::scale {
namespace {

bool is_live(const ReplicaSeen& r) { return r.state == ReplicaSeen::State::starting || r.state == ReplicaSeen::State::ready; }
std::uint32_t size32(std::size_t n) { return static_cast<std::uint32_t>(n); }

}  // namespace

void Pool::observed(std::vector<ReplicaSeen> replicas, std::uint32_t desired, MonoTime now) {
  replicas_ = std::move(replicas);
  desired_ = desired;
  counted_ = true;
  std::erase_if(drains_, [&](const auto& item) { return find(item.first) == nullptr; });
  std::erase_if(started_, [&](const auto& item) { return find(item.first) == nullptr; });
  for (const auto& r : replicas_)
    if (r.state == ReplicaSeen::State::starting && !started_.contains(r.id)) started_[r.id] = now - r.age;
}

void Pool::uncounted() {
  counted_ = false;
  replicas_.clear();
  for (const auto& [name, m] : modules_)
    replicas_.push_back({m.routable && !m.draining ? ReplicaSeen::State::ready : ReplicaSeen::State::starting, name, m.address, {}});
  desired_ = size32(replicas_.size());
}

void Pool::sessions(const std::string& forwarder, const std::string& module, std::uint64_t open, MonoTime now) {
  sessions_[forwarder][module] = {open, now};
}

void Pool::forget_forwarder(const std::string& forwarder) { sessions_.erase(forwarder); }

const ReplicaSeen* Pool::find(const std::string& id) const {
  const auto at = std::find_if(replicas_.begin(), replicas_.end(), [&](const auto& r) { return r.id == id; });
  return at == replicas_.end() ? nullptr : &*at;
}

const ModuleSeen* Pool::module_of(const ReplicaSeen& replica) const {
  if (const auto at = modules_.find(replica.id); at != modules_.end()) return &at->second;
  for (const auto& [name, m] : modules_)
    if ((!m.instance.empty() && m.instance == replica.id) || (!m.address.empty() && m.address == replica.address)) return &m;
  return nullptr;
}

std::optional<std::string> Pool::replica_named(const std::string& name) const {
  for (const auto& r : replicas_) {
    const auto* m = module_of(r);
    if (r.id == name || (m != nullptr && m->name == name)) return r.id;
  }
  return std::nullopt;
}

std::string Pool::module_name(const std::string& id) const {
  const auto* r = find(id);
  const auto* m = module_of(r != nullptr ? *r : ReplicaSeen{{}, id, {}, {}});
  return m == nullptr ? id : m->name;
}

bool Pool::ready(const std::string& id) const {
  const auto* r = find(id);
  if (r == nullptr || !is_live(*r)) return false;
  const auto* m = module_of(*r);
  if (m == nullptr) return r->state == ReplicaSeen::State::ready;
  return m->routable && (!m->draining || drains_.contains(id));   // of those that we drain, the registry says what we said
}

Counts Pool::counts() const {
  Counts c;
  c.wanted_of_target = desired_;
  for (const auto& r : replicas_) {
    if (!is_live(r)) continue;
    ++c.live;
    if (drains_.contains(r.id)) ++c.draining;
    else if (ready(r.id)) ++c.ready;
  }
  c.ordered = desired_ - std::min(desired_, c.draining);
  return c;
}

std::vector<std::pair<std::string, Duration>> Pool::newly_ready(MonoTime now) {
  std::vector<std::pair<std::string, Duration>> out;
  for (auto at = started_.begin(); at != started_.end();) {
    if (!ready(at->first)) {
      ++at;
      continue;
    }
    out.emplace_back(at->first, now - at->second);
    at = started_.erase(at);
  }
  return out;
}

std::vector<std::string> Pool::stuck(Duration limit) const {
  std::vector<std::string> out;
  for (const auto& r : replicas_)
    if (r.state == ReplicaSeen::State::starting && r.age > limit && !ready(r.id) && !drains_.contains(r.id)) out.push_back(r.id);
  return out;
}

std::optional<std::uint64_t> Pool::sessions_of(const std::string& id, MonoTime now) const {
  if (find(id) == nullptr) return std::nullopt;
  const auto name = module_name(id);
  std::optional<std::uint64_t> sum;
  for (const auto& [forwarder, modules] : sessions_) {
    const auto told = modules.find(name);
    if (told == modules.end()) continue;
    if (now - told->second.at > sessions_fresh_for) return std::nullopt;   // somebody who knew has fallen silent
    sum = sum.value_or(0) + told->second.open;
  }
  return sum;
}

std::vector<std::string> Pool::choose(std::uint32_t count, MonoTime now) const {
  struct Candidate { int rank; std::uint64_t sessions; Duration age; std::string id; };
  std::vector<Candidate> all;
  for (const auto& r : replicas_) {
    if (r.state == ReplicaSeen::State::stopping || drains_.contains(r.id)) continue;
    const int rank = r.state == ReplicaSeen::State::failed ? 0 : ready(r.id) ? 2 : 1;
    all.push_back({rank, sessions_of(r.id, now).value_or(~std::uint64_t{0}), r.age, r.id});
  }
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return std::tie(a.rank, a.sessions, a.age, a.id) < std::tie(b.rank, b.sessions, b.age, b.id); });
  all.resize(std::min<std::size_t>(all.size(), count));
  std::vector<std::string> ids;
  for (auto& c : all) ids.push_back(std::move(c.id));
  return ids;
}

void Pool::drain(const std::string& id, DrainKind kind, Duration limit, std::string reason, MonoTime now) {
  drains_[id] = {now, now + limit, std::move(reason), kind, false};
}

bool Pool::call_back(const std::string& id) {
  const auto at = drains_.find(id);
  if (at == drains_.end() || at->second.removing) return false;
  drains_.erase(at);
  return true;
}

std::vector<std::string> Pool::call_back(std::uint32_t count) {
  std::vector<std::pair<MonoTime, std::string>> order;
  for (const auto& [id, d] : drains_)
    if (!d.removing && d.kind == DrainKind::spare && ready(id)) order.emplace_back(d.since, id);
  std::sort(order.rbegin(), order.rend());
  std::vector<std::string> out;
  for (const auto& [since, id] : order)
    if (out.size() < count && call_back(id)) out.push_back(id);
  return out;
}

bool Pool::empty(const std::string& id, const DrainOf& d, MonoTime now) const {
  if (!ready(id)) {
    const auto* r = find(id);
    if (r == nullptr || module_of(*r) == nullptr) return true;            // it never served
  }
  if (now - d.since < drain_at_least) return false;
  const auto name = module_name(id);
  for (const auto& [forwarder, modules] : sessions_)                      // counts from before the drain say nothing
    if (const auto told = modules.find(name); told != modules.end() && told->second.at < d.since + drain_at_least) return false;
  const auto open = sessions_of(id, now);
  return open && *open == 0;
}

std::vector<std::string> Pool::removable(MonoTime now) const {
  std::vector<std::string> out;
  for (const auto& [id, d] : drains_)
    if (!d.removing && (now >= d.deadline || empty(id, d, now))) out.push_back(id);
  return out;
}

void Pool::removed(const std::string& id) {
  drains_.erase(id);
  std::erase_if(replicas_, [&](const auto& r) { return r.id == id; });
  if (desired_ > 0) --desired_;
}

}  // namespace nlb::scale
