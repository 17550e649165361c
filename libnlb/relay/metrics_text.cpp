// /metrics: every number of the data plane, collected afresh at each scrape.
#include <dirent.h>
#include <sys/resource.h>

#include <chrono>
#include <set>

#include "libnlb/metrics/exposition.hpp"
#include "libnlb/relay/observe.hpp"

namespace nlb::relay {
namespace {

namespace m = metrics;

std::string protocol_label(Protocol protocol) { return std::string(to_string(protocol)); }

std::uint64_t open_descriptors() {
  std::uint64_t count = 0;
  if (DIR* folder = opendir("/proc/self/fd")) {
    while (readdir(folder) != nullptr) ++count;
    closedir(folder);
  }
  return count > 3 ? count - 3 : 0;   // without ".", ".." and the folder itself
}

void add_process(m::Snapshot& out, const Forwarder& forwarder) {
  out.add(m::build_info, {"nlb-forward", NLB_VERSION}, 1);
  const auto age = std::chrono::steady_clock::now() - forwarder.started();
  const auto started = std::chrono::system_clock::now() - age;
  out.add(m::start_time, {}, std::chrono::duration<double>(started.time_since_epoch()).count());
  out.add(m::reloads, {"applied"}, forwarder.reloads());
  out.add(m::reloads, {"refused"}, forwarder.reloads_refused());
  out.add(m::config_generation, {}, forwarder.plan().table->generation());
  out.add(m::workers, {}, std::uint64_t{forwarder.workers().size()});
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  out.add(m::descriptors_open, {}, open_descriptors());
  out.add(m::descriptors_max, {}, static_cast<std::uint64_t>(limit.rlim_cur));
}

void add_listener(m::Snapshot& out, const std::string& name, const ListenerCounters& c) {
  out.add(m::connections_accepted, {name}, c.accepted.read());
  out.add(m::connections_refused, {name, "overloaded"}, c.overloaded.read());
  out.add(m::unfinished_detections, {name}, std::uint64_t{c.unfinished.load()});
  out.add(m::detection_timeouts, {name}, c.timeouts.read());
  out.add(m::proxy_headers, {name, "accepted"}, c.proxy_accepted.read());
  out.add(m::proxy_headers, {name, "invalid"}, c.proxy_invalid.read());
  for (std::size_t p = 0; p < protocol_count; ++p) out.add(m::detections, {name, std::string(protocol_names[p])}, c.detected[p].read());
}

// The ends that mean "reached no module" are routing errors.
constexpr bool is_routing_error(End end) { return end >= End::detect_timeout && end != End::version_ended; }

void add_worker(m::Snapshot& out, const Worker& worker, std::size_t index, const std::vector<ListenerStatus>& listeners) {
  const auto& c = worker.counters();
  for (std::size_t l = 0; l < listeners.size(); ++l) add_listener(out, listeners[l].name, c.listeners[l]);
  out.add(m::worker_sessions, {std::to_string(index)}, std::uint64_t{c.open.load()});
  out.add(m::queue_waiting, {}, std::uint64_t{c.waiting.load()});
  out.add(m::accept_pauses, {}, c.accept_pauses.read());
  out.add(m::descriptors_exhausted, {}, c.descriptors_exhausted.read());
  out.add(m::connections_handed_over, {}, c.handed_over.read());
  out.add(m::silent_routed, {}, c.silent_routed.read());
  out.add(m::greeted_connections, {"kept"}, c.greeted_kept.read());
  out.add(m::greeted_connections, {"reused"}, c.greeted_reused.read());
  out.add(m::connect_retries, {}, c.connect_retries.read());
  out.add(m::spliced_bytes, {}, c.spliced_bytes.read());
  out.add(m::batched_sends, {}, c.batched_sends.read());
  for (std::size_t p = 0; p < protocol_count; ++p) {
    const std::string protocol(protocol_names[p]);
    out.add(m::detection_duration, {protocol}, c.detect_time[p].read());
    for (std::size_t e = 1; e < end_names.size(); ++e) {
      const auto count = c.ended[p][e].read();
      if (count == 0) continue;
      out.add(m::sessions_ended, {protocol, std::string(end_names[e])}, count);
      if (is_routing_error(static_cast<End>(e))) out.add(m::routing_errors, {protocol, std::string(end_names[e])}, count);
    }
  }
}

void add_module(m::Snapshot& out, const route::ModuleState& module, MonoTime now) {
  const m::Snapshot::Labels labels = {protocol_label(module.identity.protocol), module.identity.name};
  const auto with = [&](std::string more) {
    auto all = labels;
    all.push_back(std::move(more));
    return all;
  };
  for (std::size_t w = 0; w < module.workers(); ++w) {
    const auto& cell = module.cell(w);
    out.add(m::routed_connections, labels, cell.routed.read());
    out.add(m::connect_errors, labels, cell.connect_failures.read());
    out.add(m::early_resets, labels, cell.early_resets.read());
    out.add(m::empty_answers, labels, cell.empty_answers.read());
    out.add(m::protocol_errors, labels, cell.protocol_errors.read());
    out.add(m::bytes_relayed, with("up"), cell.bytes_up.read());
    out.add(m::bytes_relayed, with("down"), cell.bytes_down.read());
    out.add(m::connect_duration, labels, cell.connect_time.read());
    out.add(m::first_byte_duration, labels, cell.first_byte_time.read());
    out.add(m::session_duration, labels, cell.session_time.read());
  }
  out.add(m::active_connections, labels, std::uint64_t{module.active.load()});
  out.add(m::module_connections_max, labels, std::uint64_t{module.max_connections.load()});
  out.add(m::module_ejected, labels, module.ejected(now) ? 1 : 0);
  out.add(m::module_ejections, labels, module.ejected_total.load());
  out.add(m::module_draining, labels, module.leaving ? 1 : 0);
  out.add(m::module_health, with(std::string(to_string(static_cast<registry::Health>(module.health.load())))), 1);
}

void add_limits(m::Snapshot& out, const limit::LimitSet& limits, MonoTime now) {
  for (const auto& stat : limits.stats(now)) {
    out.add(m::ratelimit_allowed, {stat.protocol, stat.name}, stat.allowed);
    out.add(m::ratelimit_denied, {stat.protocol, stat.name}, stat.denied_rate + stat.denied_connections);
    out.add(m::ratelimit_denials, {stat.name, "rate"}, stat.denied_rate);
    out.add(m::ratelimit_denials, {stat.name, "connections"}, stat.denied_connections);
    out.add(m::ratelimit_tokens_available, {stat.protocol, stat.name}, stat.tokens_available);
    out.add(m::ratelimit_open, {stat.protocol, stat.name}, stat.open);
  }
  const auto clients = limits.clients();
  out.add(m::ratelimit_clients, {}, clients.clients);
  out.add(m::ratelimit_evictions, {"idle"}, clients.evicted_idle);
  out.add(m::ratelimit_evictions, {"spent"}, clients.evicted_spent);
  out.add(m::ratelimit_untracked, {}, clients.untracked);
}

}  // namespace

void add_metrics(m::Snapshot& out, Forwarder& forwarder, const daemon::AccessLog* access_log) {
  const auto now = std::chrono::steady_clock::now();
  add_process(out, forwarder);
  const auto listeners = forwarder.listeners().status();
  for (std::size_t i = 0; i < forwarder.workers().size(); ++i) add_worker(out, *forwarder.workers()[i], i, listeners);
  std::set<const route::ModuleState*> current;
  for (const auto& service : forwarder.plan().table->services())
    for (const auto& module : service.modules) current.insert(module.get());
  for (const auto& module : forwarder.roster().modules())   // which keeps what has left the table a little longer, for the workers
    if (current.contains(module.get()) || module->active.load() > 0) add_module(out, *module, now);
  for (const auto& service : forwarder.plan().table->services()) {
    out.add(m::panic_picks, {service.name}, service.state->panics.load());
    out.add(m::version_fallbacks, {service.name}, service.state->version_fallbacks.load());
    out.add(m::split_generation, {service.name}, service.split_generation);
  }
  add_limits(out, *forwarder.plan().limits, now);
  if (access_log != nullptr) {
    const auto counters = access_log->counters();
    out.add(m::access_log_lost, {"dropped"}, counters.lines_dropped);
    out.add(m::access_log_lost, {"failed"}, counters.lines_lost);
  }
}

}  // namespace nlb::relay
