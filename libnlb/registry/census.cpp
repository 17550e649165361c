#include "libnlb/registry/census.hpp"

namespace nlb::registry {

namespace {

Refusal full(RefusalKind kind, const std::string& what, std::uint32_t limit, std::string_view key) {
  return {kind, "no room for another module: " + what + " has its " + std::to_string(limit) + ": remove one or raise " + std::string(key)};
}

}  // namespace

std::optional<Refusal> Census::refuse(Entry wanted, std::optional<Entry> known, const Limits& limits) const {
  if (!known && all_ >= limits.modules_max) return full(RefusalKind::registry_full, "the registry", limits.modules_max, "registry.modules_max");
  const auto protocol = wanted.module.protocol;
  const bool new_protocol = !known || known->module.protocol != protocol;
  if (new_protocol && protocols_[static_cast<std::size_t>(protocol)] >= limits.modules_per_protocol_max)
    return full(RefusalKind::protocol_full, "protocol " + std::string(to_string(protocol)), limits.modules_per_protocol_max,
                "registry.modules_per_protocol_max");
  const auto owned = callers_.find(wanted.caller);
  const bool new_owner = !known || known->caller != wanted.caller;
  if (new_owner && owned != callers_.end() && owned->second >= limits.modules_per_caller_max)
    return full(RefusalKind::caller_full, "caller " + wanted.caller, limits.modules_per_caller_max, "registry.modules_per_caller_max");
  return std::nullopt;
}

void Census::add(Entry entry) {
  ++all_;
  ++protocols_[static_cast<std::size_t>(entry.module.protocol)];
  ++callers_[entry.caller];
  ++services_[entry.module.service].modules;
}

void Census::remove(Entry entry) {
  --all_;
  --protocols_[static_cast<std::size_t>(entry.module.protocol)];
  const auto caller = callers_.find(entry.caller);
  if (--caller->second == 0) callers_.erase(caller);
  const auto service = services_.find(entry.module.service);
  if (--service->second.modules == 0) services_.erase(service);
}

void Census::falls_silent(const std::string& service) { ++services_.at(service).silent; }

void Census::speaks_again(const std::string& service) { end_silence(services_.at(service)); }

void Census::leaves_silent(const std::string& service) {
  auto& count = services_.at(service);
  ++count.lost;
  end_silence(count);
}

void Census::end_silence(Service& service) {
  if (--service.silent == 0) service.lost = 0;
}

bool Census::is_mass_silence(const std::string& service) const {
  const auto count = at(service);
  const auto silent = count.silent + count.lost;
  return silent >= mass_least && silent * 100 > (count.modules + count.lost) * mass_percent;
}

Census::Service Census::at(const std::string& service) const {
  const auto found = services_.find(service);
  return found == services_.end() ? Service{} : found->second;
}

}  // namespace nlb::registry
