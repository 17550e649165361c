#include "libnlb/registry/admission.hpp"

#include <algorithm>
#include <optional>

#include "libnlb/core/excerpt.hpp"

namespace nlb::registry {

namespace {

using Complaint = std::optional<Refusal>;

Complaint wrong(std::string text) { return Refusal{RefusalKind::bad_field, std::move(text)}; }

Complaint check_name(std::string_view what, std::string_view text, const Limits& limits) {
  if (is_name(text, limits.name_bytes_max)) return std::nullopt;
  return wrong(std::string(what) + " \"" + excerpt(text, 40) + "\" is no name: it has 1 to " + std::to_string(limits.name_bytes_max) +
               " letters, digits, '.', '_', '-' or ':'");
}

Complaint check_names(const Module& m, const Limits& limits) {
  if (auto c = check_name("module name", m.name, limits)) return c;
  if (auto c = check_name("service", m.service, limits)) return c;
  if (auto c = check_name("version", m.version, limits)) return c;
  if (!m.colour.empty())
    if (auto c = check_name("colour", m.colour, limits)) return c;
  if (!m.zone.empty())
    if (auto c = check_name("zone", m.zone, limits)) return c;
  return std::nullopt;
}

Complaint check_numbers(const Module& m, const Limits& limits) {
  if (m.protocol == Protocol::unknown) return wrong("protocol is missing: name one of http tls mysql postgresql mongodb redis rtmp");
  if (m.weight > 65535) return wrong("weight " + std::to_string(m.weight) + " is too large: it is at most 65535");
  if (m.priority > priority_max)
    return wrong("priority " + std::to_string(m.priority) + " is too large: it is 0 to " + std::to_string(priority_max) + ", lower first");
  if (m.lease < limits.lease_min || m.lease > limits.lease_max)
    return wrong("lease " + format_duration(m.lease) + " is out of range: ask for " + format_duration(limits.lease_min) + " to " +
                 format_duration(limits.lease_max));
  const auto& c = m.check;
  if (c.interval < 100ms || c.interval > 1h) return wrong("check interval " + format_duration(c.interval) + " is out of range: 100ms to 1h");
  if (c.timeout < 10ms || c.timeout > c.interval)
    return wrong("check timeout " + format_duration(c.timeout) + " is out of range: 10ms to the interval, " + format_duration(c.interval));
  if (c.rise < 1 || c.rise > 100 || c.fall < 1 || c.fall > 100) return wrong("rise and fall are 1 to 100");
  if (!(c.jitter >= 0 && c.jitter <= 0.5)) return wrong("check jitter is 0 to 50 percent");
  if (c.kind == CheckKind::grpc && !m.control) return wrong("a grpc check needs a control address: give one, or check by tcp or protocol");
  return std::nullopt;
}

Complaint check_labels(const Module& m, const Limits& limits) {
  if (m.labels.size() > limits.labels_max)
    return wrong(std::to_string(m.labels.size()) + " labels are too many: at most " + std::to_string(limits.labels_max));
  for (const auto& [key, value] : m.labels) {
    if (auto c = check_name("label", key, limits)) return c;
    if (value.size() > limits.label_bytes_max)
      return wrong("the value of label " + key + " is too long: at most " + std::to_string(limits.label_bytes_max) + " bytes");
  }
  return std::nullopt;
}

Complaint check_target(const Module& m, const Limits& limits) {
  const auto& target = m.check.target;
  if (target.empty()) return std::nullopt;
  if (target.size() > limits.label_bytes_max) return wrong("the check's target is too long: at most " + std::to_string(limits.label_bytes_max) + " bytes");
  if (!is_visible(target))
    return wrong("check target \"" + excerpt(target, 40) + "\" has a character that no target has: visible ASCII only, anything else percent-encoded, such as %20");
  if (m.check.kind == CheckKind::protocol && m.protocol == Protocol::http && !is_path(target))
    return wrong("check target \"" + excerpt(target, 40) + "\" is no path: it begins with '/', such as /healthz");
  return std::nullopt;
}

std::string networks_text(const Limits& limits) {
  std::string text;
  for (const auto& network : limits.allow_addresses) text += (text.empty() ? "" : ", ") + to_string(network);
  return text.empty() ? "none" : text;
}

bool allowed(const IpAddress& address, const Limits& limits) {
  return std::any_of(limits.allow_addresses.begin(), limits.allow_addresses.end(),
                     [&](const Network& network) { return network.contains(address); });
}

Complaint check_address(std::string_view what, const Endpoint& endpoint, const Limits& limits) {
  const auto shown = std::string(what) + " " + to_string(endpoint);
  if (endpoint.kind == Endpoint::Kind::name)
    return wrong(shown + " is a name: a module registers the address that it listens on, such as 10.0.1.5:8080");
  if (endpoint.kind == Endpoint::Kind::unix_path) {   // same machine, so the same as loopback
    if (allowed(IpAddress::v4(0x7f000001), limits)) return std::nullopt;
    return Refusal{RefusalKind::address_not_allowed, shown + " is not allowed: modules may claim " + networks_text(limits) +
                                                         ": add 127.0.0.0/8 to registry.allow_addresses"};
  }
  if (endpoint.port == 0) return wrong(shown + " has no port: name the port that the module listens on");
  if (endpoint.ip == IpAddress::v4(0) || endpoint.ip == IpAddress{})
    return wrong(shown + " is no destination: name the address that forwarders should connect to");
  if (allowed(endpoint.ip, limits)) return std::nullopt;
  return Refusal{RefusalKind::address_not_allowed,
                 shown + " is not allowed: modules may claim " + networks_text(limits) + ": add its network to registry.allow_addresses"};
}

Complaint check_claim(const Module& m, const Caller& caller) {
  if (caller.any_service || std::find(caller.services.begin(), caller.services.end(), m.service) != caller.services.end()) return std::nullopt;
  return Refusal{RefusalKind::service_not_allowed, "service " + m.service + " is not " + caller.name +
                                                       "'s to claim: its certificate doesn't name it: use one with that name"};
}

Complaint first_complaint(const Module& m, const Limits& limits, const Caller& caller) {
  if (auto c = check_names(m, limits)) return c;
  if (auto c = check_numbers(m, limits)) return c;
  if (auto c = check_labels(m, limits)) return c;
  if (auto c = check_target(m, limits)) return c;
  if (auto c = check_claim(m, caller)) return c;
  if (auto c = check_address("data address", m.data, limits)) return c;
  return m.control ? check_address("control address", *m.control, limits) : std::nullopt;
}

}  // namespace

Error as_error(const Refusal& refusal) {
  switch (refusal.kind) {
    case RefusalKind::bad_field: return {ErrorKind::bad_input, refusal.text};
    case RefusalKind::address_not_allowed:
    case RefusalKind::service_not_allowed:
    case RefusalKind::protocol_full:
    case RefusalKind::caller_full:
    case RefusalKind::registry_full: return {ErrorKind::refused, refusal.text};
    case RefusalKind::older_incarnation:
    case RefusalKind::wrong_lease:
    case RefusalKind::dismissed: return {ErrorKind::conflict, refusal.text};
    case RefusalKind::unknown_module: return {ErrorKind::not_found, refusal.text};
  }
  return {ErrorKind::internal, refusal.text};
}

bool is_name(std::string_view text, std::size_t bytes_max) {
  const auto ok = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-' || c == ':';
  };
  return !text.empty() && text.size() <= bytes_max && std::all_of(text.begin(), text.end(), ok);
}

Outcome<Module> admit(Module module, const Limits& limits, const Caller& caller) {
  if (module.service.empty()) module.service = to_string(module.protocol);
  if (module.version.empty()) module.version = "v1";
  if (module.lease == Duration{}) module.lease = limits.lease_default;
  module.max_connections = std::min(module.max_connections, limits.connections_per_module_max);
  module.state = {};
  if (auto complaint = first_complaint(module, limits, caller)) return tl::unexpected<Refusal>(std::move(*complaint));
  return module;
}

}  // namespace nlb::registry
