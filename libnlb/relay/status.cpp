// /status: one JSON object.
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "libnlb/relay/observe.hpp"

namespace nlb::relay {
namespace {

using Json = nlohmann::ordered_json;

Json json_of(const route::ModuleState& module, MonoTime now) {
  const auto& id = module.identity;
  std::uint64_t routed = 0, failures = 0, resets = 0, errors = 0, up = 0, down = 0;
  metrics::Histogram first_byte;
  for (std::size_t w = 0; w < module.workers(); ++w) {
    const auto& cell = module.cell(w);
    routed += cell.routed.read();
    failures += cell.connect_failures.read();
    resets += cell.early_resets.read();
    errors += cell.protocol_errors.read();
    up += cell.bytes_up.read();
    down += cell.bytes_down.read();
    first_byte += cell.first_byte_time.read();
  }
  const char* state = module.leaving ? "draining" : module.ejected(now) ? "ejected" : module.usable ? "up" : "down";
  return {{"name", id.name}, {"address", to_string(id.endpoint)}, {"version", id.version}, {"colour", id.colour}, {"zone", id.zone},
          {"state", state}, {"health", to_string(static_cast<registry::Health>(module.health.load()))},
          {"health_seconds", to_seconds(now - module.health_since)}, {"reason", module.reason}, {"active", module.active.load()}, {"connecting", module.pending.load()},
          {"max_connections", module.max_connections.load()}, {"routed", routed}, {"connect_failures", failures},
          {"early_resets", resets}, {"protocol_errors", errors}, {"ejections", module.ejected_total.load()},
          {"bytes_up", up}, {"bytes_down", down},
          {"first_byte_p50_seconds", first_byte.quantile_seconds(0.5)}, {"first_byte_p99_seconds", first_byte.quantile_seconds(0.99)}};
}

Json services_json(const Plan& plan, MonoTime now) {
  Json services = Json::array();
  for (const auto& service : plan.table->services()) {
    Json modules = Json::array();
    for (const auto& module : service.modules) modules.push_back(json_of(*module, now));
    services.push_back({{"name", service.name}, {"protocol", to_string(service.protocol)},
                        {"picker", to_string(service.options.picker)}, {"split_generation", service.split_generation},
                        {"version_fallbacks", service.state->version_fallbacks.load()}, {"panics", service.state->panics.load()},
                        {"queued", service.state->queued.load()},
                        {"modules", std::move(modules)}});
  }
  return services;
}

Json limits_json(const Plan& plan, MonoTime now) {
  Json limits = Json::array();
  for (const auto& stat : plan.limits->stats(now))
    limits.push_back({{"name", stat.name}, {"of", stat.of}, {"allowed", stat.allowed}, {"denied_rate", stat.denied_rate},
                      {"denied_connections", stat.denied_connections}, {"open", stat.open}, {"waiting", stat.waiting}, {"tokens_available", stat.tokens_available}});
  return limits;
}

Json sessions_json(const Forwarder& forwarder) {
  std::uint64_t open = 0, accepted = 0, waiting = 0, pauses = 0, memory = 0, handed_over = 0;
  Json detected = Json::object(), ended = Json::object();
  for (const auto& worker : forwarder.workers()) {
    const auto& c = worker->counters();
    open += c.open.load();
    waiting += c.waiting.load();
    memory += c.session_bytes.load();
    for (std::size_t l = 0; l < forwarder.plan().listeners.size(); ++l) {
      accepted += c.listeners[l].accepted.read();
      for (std::size_t p = 0; p < protocol_count; ++p) {
        const std::string name(protocol_names[p]);
        detected[name] = detected.value(name, std::uint64_t{0}) + c.listeners[l].detected[p].read();
      }
    }
    pauses += c.accept_pauses.read();
    handed_over += c.handed_over.read();
    for (std::size_t p = 0; p < protocol_count; ++p)
      for (std::size_t e = 1; e < end_names.size(); ++e)
        if (const auto n = c.ended[p][e].read(); n > 0) {
          const std::string end(end_names[e]);
          ended[end] = ended.value(end, std::uint64_t{0}) + n;
        }
  }
  return {{"open", open}, {"accepted", accepted}, {"waiting", waiting}, {"accept_pauses", pauses}, {"handed_over", handed_over},
          {"memory_bytes", memory}, {"detected", std::move(detected)}, {"ended", std::move(ended)}};
}

}  // namespace

std::string status_json(Forwarder& forwarder, const std::string& bus_json, const std::string& manager_json, const std::string& old_generations_json) {
  const auto now = std::chrono::steady_clock::now();
  const Plan& plan = forwarder.plan();
  Json listeners = Json::array();
  for (const auto& l : forwarder.listeners().status()) listeners.push_back({{"name", l.name}, {"address", l.address}, {"live", l.live}});
  const Json status = {{"tool", "nlb-forward"}, {"version", NLB_VERSION}, {"pid", getpid()},
                       {"uptime_seconds", to_seconds(now - forwarder.started())}, {"workers", forwarder.workers().size()},
                       {"reloads", forwarder.reloads()}, {"reloads_refused", forwarder.reloads_refused()},
                       {"table_generation", plan.table->generation()}, {"listeners", std::move(listeners)},
                       {"sessions", sessions_json(forwarder)}, {"services", services_json(plan, now)}, {"limits", limits_json(plan, now)},
                       {"bus", Json::parse(bus_json)}, {"manager", Json::parse(manager_json)},
                       {"old_generations", Json::parse(old_generations_json)}};
  return status.dump() + "\n";
}

}  // namespace nlb::relay
