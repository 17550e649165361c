#include "libnlb/route/outlier.hpp"

#include <algorithm>
#include <cmath>

namespace nlb::route {
namespace {

std::int64_t ns(MonoTime t) { return t.time_since_epoch().count(); }

void count(Cell& cell, Outcome outcome) {
  switch (outcome) {
    case Outcome::connected:
    case Outcome::ok: return;
    case Outcome::connect_failed: return cell.connect_failures.add();
    case Outcome::early_reset: return cell.early_resets.add();
    case Outcome::empty_answer: return cell.empty_answers.add();
  }
}

// At most the share that the service allows, but always one. Two workers that eject at the same moment may pass the
// limit by one.
bool may_eject(const Service& service, const ModuleState& candidate, MonoTime now) {
  std::size_t present = 0, ejected = 0;
  for (const auto& m : service.modules) {
    if (!m->usable.load(std::memory_order_relaxed)) continue;
    ++present;
    ejected += m.get() != &candidate && m->ejected(now);
  }
  return ejected == 0 || (ejected + 1) * 100 <= present * service.options.eject.percent_max;
}

void raise(std::atomic<std::int64_t>& latest, std::int64_t to) {
  auto seen = latest.load(std::memory_order_relaxed);
  while (seen < to && !latest.compare_exchange_weak(seen, to, std::memory_order_relaxed)) {}
}

// One more than before, less one for every whole period since it came back.
std::uint32_t next_ejection(const ModuleState& module, std::int64_t last_end, const EjectOptions& options, MonoTime now) {
  const auto before = static_cast<std::int64_t>(module.ejections.load(std::memory_order_relaxed));
  const auto forgiven = last_end == 0 || options.period <= Duration::zero() ? 0 : (ns(now) - last_end) / options.period.count();
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(before - forgiven + 1, 1, ejection_growth_max));
}

Effect eject(const Service& service, ModuleState& module, MonoTime now) {
  if (!may_eject(service, module, now)) return Effect::spared;
  auto last_end = module.ejected_until.load(std::memory_order_relaxed);
  const auto times = next_ejection(module, last_end, service.options.eject, now);
  const auto end = ns(now) + service.options.eject.period.count() * times;
  // Whoever moves ejected_until counts the ejection; others saw the same failures and are late.
  if (last_end > ns(now) || !module.ejected_until.compare_exchange_strong(last_end, end, std::memory_order_relaxed)) return Effect::nothing;
  module.ejections.store(times, std::memory_order_relaxed);
  module.ejected_total.fetch_add(1, std::memory_order_relaxed);
  module.trialled.store(true, std::memory_order_relaxed);
  raise(service.state->ejections_until, end);
  return Effect::ejected;
}

Effect report_bad(const Service& service, ModuleState& module, MonoTime now) {
  const auto failures = module.failures.fetch_add(1, std::memory_order_relaxed) + 1;
  module.failed_at.store(ns(now), std::memory_order_relaxed);
  if (service.options.eject.failures == 0 || module.ejected(now)) return Effect::nothing;
  const bool on_trial = module.trialled.load(std::memory_order_relaxed);
  return on_trial || failures >= service.options.eject.failures ? eject(service, module, now) : Effect::nothing;
}

Effect report_ok(ModuleState& module, MonoTime now) {
  if (module.failures.load(std::memory_order_relaxed) != 0) module.failures.store(0, std::memory_order_relaxed);
  if (!module.trialled.load(std::memory_order_relaxed) || module.ejected(now)) return Effect::nothing;
  return module.trialled.exchange(false, std::memory_order_relaxed) ? Effect::recovered : Effect::nothing;
}

}  // namespace

Effect report(const Service& service, ModuleState& module, Outcome outcome, MonoTime now, std::size_t worker) {
  count(module.cell(worker), outcome);
  if (is_bad(outcome)) return report_bad(service, module, now);
  return outcome == Outcome::ok ? report_ok(module, now) : Effect::nothing;
}

void observe_latency(ModuleState& module, Duration sample, MonoTime now) {
  const auto value = static_cast<float>(std::max<std::int64_t>(sample.count(), 1));
  const auto before = module.latency_ns.load(std::memory_order_relaxed);
  const auto age = std::max<std::int64_t>(ns(now) - module.latency_at.load(std::memory_order_relaxed), 0);
  const auto kept = std::exp(-static_cast<float>(age) / static_cast<float>(latency_decay.count()));
  module.latency_ns.store(value > before ? value : before * kept + value * (1 - kept), std::memory_order_relaxed);
  module.latency_at.store(ns(now), std::memory_order_relaxed);
}

}  // namespace nlb::route
