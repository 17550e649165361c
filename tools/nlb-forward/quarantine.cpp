#include "tools/nlb-forward/quarantine.hpp"

#include <utility>

#include "libnlb/daemon/log.hpp"
#include "libnlb/registry/membership.hpp"

namespace nlb::forward {

Quarantine::Quarantine(daemon::ControlLoop& loop, std::function<void(const std::string&)> release)
    : release_(std::move(release)),
      checker_(loop.native(), {[this](const std::string& id, registry::CheckAnswer given) { answer(id, given); }, {}},
               static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count())) {}

void Quarantine::follow(const Facts& facts) {
  for (auto at = watched_.begin(); at != watched_.end();) {
    const auto here = at++;
    if (facts.quarantined().contains(here->second.topic)) continue;
    checker_.forget(here->first);
    watched_.erase(here);
  }
  for (const auto& topic : facts.quarantined()) {
    const auto* known = facts.module(topic);
    if (known == nullptr || known->check.kind == registry::CheckKind::none) continue;      // nobody may ask: it stays
    const auto id = registry::module_id(known->key());
    if (const auto before = watched_.find(id); before != watched_.end()) {
      if (!before->second.dropped && before->second.address == known->data) continue;
      checker_.forget(id);                 // another registry's word of the same name has come to light: it is asked in its turn
    }
    auto module = *known;
    if (module.check.kind == registry::CheckKind::grpc) module.check.kind = registry::CheckKind::tcp;      // where traffic goes, not its own server
    watched_[id] = {topic, module.data, module.check, {}, false};
    checker_.watch(module);
    daemon::log::warning("a module is in quarantine: its registry no longer names it, and lost most of what it knew", {{"module", id}});
  }
}

void Quarantine::answer(const std::string& id, const registry::CheckAnswer& given) {
  const auto found = watched_.find(id);
  if (found == watched_.end()) return;
  auto& watched = found->second;
  watched.health.answer(watched.check, given);
  if (watched.health.checked != registry::Health::unhealthy || std::exchange(watched.dropped, true)) return;
  ++released_;
  daemon::log::warning("a module in quarantine doesn't answer and is dropped", {{"module", id}, {"reason", given.error}});
  release_(watched.topic);               // what comes of it is told like any change
}

}  // namespace nlb::forward
