#include "libnlb/route/roster.hpp"

#include <algorithm>
#include <unordered_set>

namespace nlb::route {

ModuleState::ModuleState(Identity who, std::uint32_t n, std::size_t workers)
    : identity(std::move(who)), number(n), workers_(workers), cells_(std::make_unique<Cell[]>(workers)) {}

void ModuleState::watch_halves() {
  if (owned_halves_) return;
  owned_halves_ = std::make_unique<HalfCell[]>(workers_);
  halves_.store(owned_halves_.get(), std::memory_order_release);
}

std::shared_ptr<ModuleState> Roster::module(const Identity& identity, MonoTime now) {
  const auto key = std::pair(identity.service, identity.name);
  const auto [first, last] = modules_.equal_range(key);
  const auto known = std::find_if(first, last, [&](const auto& entry) { return entry.second.state->identity == identity; });
  if (known != last) {
    known->second.present = true;
    return known->second.state;
  }
  auto state = std::make_shared<ModuleState>(identity, next_number_++, workers_);
  state->self = state;
  state->since = now;
  modules_.emplace(key, Entry{state, true, {}});
  return state;
}

std::shared_ptr<ServiceState> Roster::service(const std::string& name) {
  auto& state = services_[name];
  if (!state) state = std::make_shared<ServiceState>();
  return state;
}

void Roster::keep_only(const std::vector<std::shared_ptr<ModuleState>>& present, MonoTime now) {
  std::unordered_set<const ModuleState*> here;
  for (const auto& state : present) here.insert(state.get());
  for (auto& [key, entry] : modules_) {
    if (here.contains(entry.state.get()) || !entry.present) continue;
    entry.present = false;
    entry.left = now;
    entry.state->usable.store(false, std::memory_order_relaxed);
    entry.state->leaving.store(true, std::memory_order_relaxed);
  }
}

std::size_t Roster::collect(MonoTime now, Duration grace) {
  return std::erase_if(modules_, [&](const auto& item) {
    const Entry& entry = item.second;
    // use_count 1: no table holds it any more, so nobody can reserve on it; acquire pairs with Slot::release.
    return !entry.present && now - entry.left >= grace && entry.state.use_count() == 1 &&
           entry.state->active.load(std::memory_order_acquire) == 0;
  });
}

std::vector<std::shared_ptr<ModuleState>> Roster::modules() const {
  std::vector<std::shared_ptr<ModuleState>> all;
  all.reserve(modules_.size());
  for (const auto& [key, entry] : modules_) all.push_back(entry.state);
  return all;
}

}  // namespace nlb::route
