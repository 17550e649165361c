// Who may register what: fills in a record's defaults and refuses, by kind, what is malformed or not the caller's to claim.
// Looks at one record and the limits alone; counts (modules of a protocol, of a caller) are the census's.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "libnlb/registry/module.hpp"

namespace nlb::registry {

enum class RefusalKind : std::uint8_t {
  bad_field,             // the record says something impossible
  address_not_allowed,   // outside the networks that modules may claim
  service_not_allowed,   // the caller's certificate names other services
  protocol_full, caller_full, registry_full,
  older_incarnation,     // a newer process has the name
  unknown_module,        // register (again)
  wrong_lease,           // another process has the name now
  dismissed,             // an operator took this process out
};
inline constexpr std::array<std::string_view, 10> refusal_names = {
    "bad_field", "address_not_allowed", "service_not_allowed", "protocol_full", "caller_full", "registry_full",
    "older_incarnation", "unknown_module", "wrong_lease", "dismissed"};
constexpr std::string_view to_string(RefusalKind kind) { return refusal_names[static_cast<std::size_t>(kind)]; }

struct Refusal {
  RefusalKind kind = RefusalKind::bad_field;
  std::string text;      // what was refused: why: what to do
};
template <class T>
using Outcome = tl::expected<T, Refusal>;

Error as_error(const Refusal& refusal);

struct Limits {
  std::uint32_t modules_per_protocol_max = 50;
  std::uint32_t modules_per_caller_max = 1000;
  std::uint32_t modules_max = 10000;
  std::uint32_t connections_per_module_max = 10000;   // a module that claims more is held to this
  Duration lease_default = std::chrono::seconds(30);
  Duration lease_min = std::chrono::seconds(1);
  Duration lease_max = std::chrono::hours(1);
  std::vector<Network> allow_addresses = {{IpAddress::v4(0x7f000000), 104}};   // data and control addresses
  std::size_t name_bytes_max = 128, label_bytes_max = 256, labels_max = 32, reason_bytes_max = 256;
};

// Who asks, as the edge knows it: the certificate's name, else the peer's address.
struct Caller {
  std::string name = "local";
  bool any_service = true;              // no certificate limits it
  std::vector<std::string> services;    // with any_service false: the ones its certificate names
};

// Letters, digits and . _ - : only, so that a name can stand in a topic, a path and a label; not empty, not too long.
bool is_name(std::string_view text, std::size_t bytes_max = 128);

// The record with its defaults in place, or the first thing that is wrong with it.
Outcome<Module> admit(Module module, const Limits& limits, const Caller& caller);

}  // namespace nlb::registry
