#include "tools/nlb-forward/module_checks.hpp"

#include <utility>

#include "libnlb/daemon/log.hpp"

namespace nlb::forward {
namespace {

using registry::Health;

constexpr Duration apply_delay = 5ms;    // changes that come together become one table

bool same_question(const registry::Module& a, const registry::Module& b) {
  return a.data == b.data && a.control == b.control && a.protocol == b.protocol && a.send_proxy == b.send_proxy && a.check.kind == b.check.kind;
}

}  // namespace

ModuleChecks::ModuleChecks(relay::Forwarder& engine, daemon::ControlLoop& loop)
    : engine_(engine), loop_(loop),
      checker_(loop.native(), {[this](const std::string& id, const registry::CheckAnswer& given) { answer(id, given); },
                               [this](const std::string& id, const registry::HealthSpec& spec, std::function<void(registry::CheckAnswer)> told) {
                                 pool_.check(id, spec.target, spec.timeout, std::move(told));
                               }},
               static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count())) {
  follow();
}

void ModuleChecks::follow() {
  auto before = std::exchange(watched_, {});
  for (auto& module : engine_.own_modules()) {
    if (module.check.kind == registry::CheckKind::none) continue;
    const auto id = registry::module_id(module.key());
    auto& watched = watched_[id];
    if (auto known = before.extract(id); known && same_question(known.mapped().module, module)) {
      watched.health = std::move(known.mapped().health);
      module.state = std::move(known.mapped().module.state);
    }
    watched.module = std::move(module);
    watched.module.check.kind == registry::CheckKind::grpc ? pool_.add(id, *watched.module.control) : pool_.remove(id);
    checker_.watch(watched.module);
  }
  for (const auto& [id, gone] : before) forget(id);
  apply();
}

void ModuleChecks::forget(const std::string& id) {
  checker_.forget(id);
  pool_.remove(id);
}

void ModuleChecks::answer(const std::string& id, const registry::CheckAnswer& given) {
  const auto found = watched_.find(id);
  if (found == watched_.end()) return;
  auto& [module, health] = found->second;
  health.answer(module.check, given);
  const bool fails = health.checked == Health::unhealthy;
  if (fails == (module.state.health == Health::unhealthy)) return;
  module.state.health = fails ? Health::unhealthy : Health::healthy;
  module.state.reason = registry::reason(health, module.check.kind);
  if (fails) daemon::log::warning("a module fails its checks and gets no new sessions", {{"module", id}, {"reason", module.state.reason}});
  else daemon::log::info("a module answers its checks again and gets new sessions", {{"module", id}});
  if (!apply_timer_) apply_timer_ = loop_.after(apply_delay, [this] { apply(); });
}

void ModuleChecks::apply() {
  apply_timer_.reset();
  relay::Checked now;
  for (const auto& [id, watched] : watched_)
    if (watched.module.state.health == Health::unhealthy) now.emplace(id, watched.module.state);
  if (now == told_) return;
  if (auto applied = engine_.set_checked(now); !applied) return daemon::log::error("what the checks say can't be applied: the last good table stays", {{"reason", applied.error().text}});
  told_ = std::move(now);
}

}  // namespace nlb::forward
