// The module record: everything the registry knows about one member of a service, as plain values. The registry is its only writer;
// forwarders, the scaler and the deployer hold copies. It says nothing about sessions or counters: those belong to each forwarder.
// A module is named by service and name; `incarnation` tells two processes that claim one name apart (the greater is the newer one).
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "libnlb/core/address.hpp"
#include "libnlb/core/protocol.hpp"
#include "libnlb/core/time.hpp"

namespace nlb::registry {

enum class SendProxy : std::uint8_t { none, v1, v2 };            // the PROXY header a forwarder sends to it
enum class CheckKind : std::uint8_t { protocol, tcp, grpc, none };

// What a module's health is known to be. `unknown` is a module that no check has answered for yet.
enum class Health : std::uint8_t { unknown, healthy, degraded, unhealthy };

// Where a module is in its life. `suspect`: its lease ended together with many others of its service, so the silence says more about
// the network than about the module; it stays, and whoever routes to it goes by its own checks. `draining`: no new sessions.
enum class Phase : std::uint8_t { up, suspect, draining };

inline constexpr std::array<std::string_view, 3> send_proxy_names = {"none", "v1", "v2"};
inline constexpr std::array<std::string_view, 4> check_kind_names = {"protocol", "tcp", "grpc", "none"};
inline constexpr std::array<std::string_view, 4> health_names = {"unknown", "healthy", "degraded", "unhealthy"};
inline constexpr std::array<std::string_view, 3> phase_names = {"up", "suspect", "draining"};

constexpr std::string_view to_string(SendProxy v) { return send_proxy_names[static_cast<std::size_t>(v)]; }
constexpr std::string_view to_string(CheckKind v) { return check_kind_names[static_cast<std::size_t>(v)]; }
constexpr std::string_view to_string(Health v) { return health_names[static_cast<std::size_t>(v)]; }
constexpr std::string_view to_string(Phase v) { return phase_names[static_cast<std::size_t>(v)]; }

struct HealthSpec {
  CheckKind kind = CheckKind::protocol;
  Duration interval = std::chrono::seconds(10);
  Duration timeout = std::chrono::seconds(3);
  std::uint32_t rise = 2;      // good answers in a row that end an unhealthy time; the very first good answer counts at once
  std::uint32_t fall = 3;      // bad answers in a row that end a healthy time
  double jitter = 0.1;         // share of the interval, so that checks don't march in step
  std::string target;          // HTTP path (is_path) of a protocol check, service name of a gRPC check; empty: "/" or the whole server
  bool operator==(const HealthSpec&) const = default;
};

// What may stand in a request line, or in the name of a gRPC service: visible ASCII (RFC 9112 section 3.2 has no space and no control
// characters there, which could end the line and begin a header).
constexpr bool is_visible(std::string_view text) {
  for (const char c : text)
    if (c <= ' ' || c >= 127) return false;
  return true;
}
constexpr bool is_path(std::string_view target) { return target.starts_with('/') && is_visible(target); }

struct ModuleKey {
  std::string service;
  std::string name;
  auto operator<=>(const ModuleKey&) const = default;
};
inline std::string module_id(const ModuleKey& key) { return key.service + "/" + key.name; }      // its name in calls, topics and keys

struct ModuleState {
  Phase phase = Phase::up;
  Health health = Health::unknown;
  std::string reason;          // why it isn't up and healthy; for people
  bool operator==(const ModuleState&) const = default;
};

inline constexpr std::uint32_t priority_max = 255;

struct Module {
  std::string name;
  std::string service;
  Protocol protocol = Protocol::unknown;
  Endpoint data;                       // where clients' sessions go
  std::optional<Endpoint> control;     // the module's own gRPC server, when it has one
  std::string version = "v1";
  std::string colour;
  std::uint32_t weight = 100;          // 0 to 65535; 0 gets no new sessions
  std::string zone;
  std::uint32_t priority = 0;          // 0 to priority_max, lower first; a higher tier is used when the lower has no usable module
  bool backup = false;
  std::uint32_t max_connections = 10000;
  SendProxy send_proxy = SendProxy::none;
  std::map<std::string, std::string> labels;
  std::uint64_t incarnation = 0;       // greater is newer; by default the process's start time in microseconds since 1970
  Duration lease = std::chrono::seconds(30);
  HealthSpec check;
  ModuleState state;
  bool operator==(const Module&) const = default;

  ModuleKey key() const { return {service, name}; }
};
using ModulePtr = std::shared_ptr<const Module>;

// New sessions may go to it: it isn't draining, has a weight, and no check says that it is down. `unknown` counts as usable only where
// nobody checks, so a module that has just registered waits for its first good answer.
constexpr bool is_routable(const ModuleState& state, CheckKind kind) {
  if (state.phase == Phase::draining) return false;
  if (state.health == Health::unknown) return kind == CheckKind::none;
  return state.health != Health::unhealthy;
}
inline bool is_routable(const Module& module) { return module.weight > 0 && is_routable(module.state, module.check.kind); }

// The state to go by when `next` replaces `known`: a registry that has lost its memory calls every module unknown until its first check
// has been answered, and that is no reason to stop using one that was known at the same address.
inline ModuleState carried(const Module& known, const Module& next) {
  auto state = next.state;
  if (state.health == Health::unknown && known.data == next.data) state.health = known.state.health;
  return state;
}

}  // namespace nlb::registry
