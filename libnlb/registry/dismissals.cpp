#include "libnlb/registry/dismissals.hpp"

namespace nlb::registry {

Refusal Dismissal::refusal() const {
  const auto id = module_id(module->key());
  return {RefusalKind::dismissed, id + " was " + module->state.reason + ": stop; nlb-registry unregister --cancel " + id + " lets it in again"};
}

std::vector<ModuleKey> Dismissals::add(Dismissal dismissal) {
  auto id = module_id(dismissal.module->key());
  remove(id);
  std::vector<ModuleKey> dropped;
  for (; size() >= dismissed_max; ++dropped_) dropped.push_back(drop_longest_silent());
  by_id_[std::move(id)] = by_silence_.insert(by_silence_.end(), std::move(dismissal));
  return dropped;
}

const Dismissal* Dismissals::find(std::string_view id) const {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : &*found->second;
}

void Dismissals::heard(std::string_view id, MonoTime now) {
  const auto found = by_id_.find(id);
  if (found == by_id_.end()) return;
  found->second->heard_at = now;
  by_silence_.splice(by_silence_.end(), by_silence_, found->second);
}

bool Dismissals::remove(std::string_view id) {
  const auto found = by_id_.find(id);
  if (found == by_id_.end()) return false;
  by_silence_.erase(found->second);
  by_id_.erase(found);
  return true;
}

std::vector<ModuleKey> Dismissals::forget_silent(MonoTime now) {
  std::vector<ModuleKey> forgotten;
  while (!by_silence_.empty() && by_silence_.front().heard_at + dismissal_max <= now) forgotten.push_back(drop_longest_silent());
  return forgotten;
}

ModuleKey Dismissals::drop_longest_silent() {
  auto key = by_silence_.front().module->key();
  remove(module_id(key));
  return key;
}

}  // namespace nlb::registry
