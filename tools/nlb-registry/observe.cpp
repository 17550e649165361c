// /status and /metrics: what the registry knows and does, collected afresh at each question.
#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include "libnlb/bus/report.hpp"
#include "libnlb/cli/ndjson.hpp"
#include "libnlb/daemon/clock.hpp"
#include "libnlb/metrics/exposition.hpp"
#include "libnlb/rpc/status.hpp"
#include "tools/nlb-registry/answers.hpp"
#include "tools/nlb-registry/service.hpp"

namespace nlb::registrar {

using daemon::mono_now;

using cli::Json;
namespace m = metrics;

namespace {

Json modules_json(const Engine& engine) {
  Json all = Json::array();
  for_each_sorted(engine.members(), [&](const registry::MemberView& view) {
    const auto& module = *view.module;
    const auto id = registry::module_id(module.key());
    all.push_back({{"module", id}, {"address", to_string(module.data)}, {"protocol", to_string(module.protocol)}, {"version", module.version},
                   {"phase", to_string(module.state.phase)}, {"health", to_string(module.state.health)}, {"reason", module.state.reason},
                   {"routable", registry::is_routable(module)}, {"lease_remaining_seconds", to_seconds(view.lease_end - mono_now())},
                   {"heartbeats", view.heartbeats}, {"sessions", engine.sessions().of(id)}, {"checks", view.health.checks},
                   {"check_failures", view.health.failures}, {"last_error", view.health.last_error}});
  });
  return all;
}

Json channels_json(const rpc::ModulePool& pool) {
  Json all = Json::array();
  for (const auto& one : pool.status())
    all.push_back({{"module", one.module}, {"address", one.address}, {"state", one.state}, {"last_error", one.last_error}});
  return all;
}

Json dismissed_json(const registry::Dismissals& dismissals) {
  Json all = Json::array();
  for (const auto& one : dismissals.list())
    all.push_back({{"module", registry::module_id(one.module->key())}, {"incarnation", one.module->incarnation}, {"reason", one.module->state.reason},
                   {"silent_seconds", to_seconds(mono_now() - one.heard_at)}});
  return all;
}

std::uint64_t open_descriptors() {
  std::uint64_t count = 0;
  if (DIR* folder = opendir("/proc/self/fd")) {
    while (readdir(folder) != nullptr) ++count;
    closedir(folder);
  }
  return count > 3 ? count - 3 : 0;
}

void add_modules(m::Snapshot& out, const Engine& engine) {
  std::map<std::pair<std::string, std::string>, std::uint64_t> counts;
  for (const auto& view : engine.members().views()) {
    const auto& module = *view.module;
    const std::string protocol(to_string(module.protocol)), health(to_string(module.state.health));
    ++counts[{protocol, health}];
    out.add(m::module_health, {protocol, module.name, health}, 1);
  }
  for (const auto& [labels, count] : counts) out.add(m::registry_modules, {labels.first, labels.second}, count);
}

void add_protocols(m::Snapshot& out, const Engine& engine) {
  for (std::size_t p = 0; p < protocol_count; ++p) {
    const auto& of = engine.by_protocol()[p];
    const std::string name(protocol_names[p]);
    if (of.expired > 0) out.add(m::registry_leases_expired, {name}, of.expired);
    if (of.checks_good + of.checks_bad == 0) continue;
    out.add(m::health_checks, {name, "good"}, of.checks_good);
    out.add(m::health_checks, {name, "bad"}, of.checks_bad);
    out.add(m::health_check_duration, {name}, of.check_duration);
  }
}

void add_calls(m::Snapshot& out, const rpc::RegistryService& calls) {
  for (std::size_t i = 0; i < rpc::method_names.size(); ++i)
    for (int code = 0; code < 17; ++code)
      if (const auto n = calls.calls(static_cast<rpc::Method>(i), static_cast<grpc::StatusCode>(code)); n > 0)
        out.add(m::registry_calls, {std::string(rpc::method_names[i]), std::string(rpc::code_name(static_cast<grpc::StatusCode>(code)))}, n);
  out.add(m::registry_watchers, {}, static_cast<std::uint64_t>(calls.watchers()));
}

}  // namespace

std::string status_json(const Service& service) {
  const auto& engine = service.engine();
  const auto& counters = engine.members().counters();
  const auto checks = engine.checks();
  const auto store = service.keeper().status();
  Json refusals = Json::object();
  for (std::size_t i = 0; i < counters.refusals.size(); ++i) refusals[std::string(registry::refusal_names[i])] = counters.refusals[i];
  const Json status = {
      {"tool", "nlb-registry"}, {"version", NLB_VERSION}, {"pid", ::getpid()}, {"uptime_seconds", to_seconds(mono_now() - engine.started())},
      {"grpc", to_string(service.server().address())}, {"insecure", service.server().plain_to_strangers()},
      {"leading", engine.leading()}, {"leader", engine.leading() ? to_string(service.server().address()) : engine.leader()}, {"epoch", engine.epoch()},
      {"revision", engine.members().revision()}, {"registrations", counters.registrations}, {"heartbeats", counters.heartbeats},
      {"expirations", counters.expirations}, {"suspicions", counters.suspicions}, {"pauses", counters.pauses}, {"refusals", refusals},
      {"watchers", service.calls().watchers()}, {"calls_waiting", service.calls().waiting()},
      {"checks", {{"modules", checks.modules}, {"open", checks.open}, {"waiting", checks.waiting}, {"done", checks.done}, {"failed", checks.failed}}},
      {"store", {{"commits", store.commits}, {"failed", store.failed}, {"owed", store.owed}, {"waiting", store.waiting}, {"last_error", store.last_error}}},
      {"channels_opened", engine.pool().counters().opened}, {"channels_closed", engine.pool().counters().closed},
      {"channels", channels_json(engine.pool())}, {"modules", modules_json(engine)},
      {"dismissed", dismissed_json(engine.members().dismissals())}};
  return bus::with_bus(cli::json_line(status), service.bus());
}

std::string metrics_text(const Service& service) {
  const auto& engine = service.engine();
  m::Snapshot out;
  out.add(m::build_info, {"nlb-registry", NLB_VERSION}, 1);
  const auto started = std::chrono::system_clock::now() - (mono_now() - engine.started());
  out.add(m::start_time, {}, std::chrono::duration<double>(started.time_since_epoch()).count());
  out.add(m::reloads, {"applied"}, service.reloads);
  out.add(m::reloads, {"refused"}, service.reloads_refused);
  out.add(m::leader, {}, engine.leading() ? 1 : 0);
  out.add(m::insecure_listener, {}, service.server().plain_to_strangers() ? 1 : 0);
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  out.add(m::descriptors_open, {}, open_descriptors());
  out.add(m::descriptors_max, {}, static_cast<std::uint64_t>(limit.rlim_cur));
  add_modules(out, engine);
  add_protocols(out, engine);
  add_calls(out, service.calls());
  const auto& counters = engine.members().counters();
  out.add(m::registry_heartbeats, {}, counters.heartbeats);
  for (std::size_t i = 0; i < counters.refusals.size(); ++i) out.add(m::registry_refusals, {std::string(registry::refusal_names[i])}, counters.refusals[i]);
  out.add(m::registry_dismissed, {}, static_cast<std::uint64_t>(engine.members().dismissals().size()));
  out.add(m::registry_dismissed_dropped, {}, engine.members().dismissals().dropped());
  out.add(m::registry_channels, {}, static_cast<std::uint64_t>(engine.pool().size()));
  const auto store = service.keeper().status();
  out.add(m::store_commits, {"done"}, store.commits);
  out.add(m::store_commits, {"failed"}, store.failed);
  out.add(m::store_owed, {}, store.owed);
  if (service.bus()) bus::add_metrics(out, service.bus()->status());
  return m::exposition(out);
}

}  // namespace nlb::registrar
