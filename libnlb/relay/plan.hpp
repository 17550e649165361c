// What a worker needs to know to treat sessions: one immutable snapshot, built by the control thread and posted to every worker.
// Services have numbers that stay the same for the life of the process, so a session can outlive the table that placed it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "libnlb/config/config.hpp"
#include "libnlb/limit/limits.hpp"
#include "libnlb/relay/timer_wheel.hpp"
#include "libnlb/route/table.hpp"

namespace nlb::relay {

inline constexpr std::size_t listeners_max = 255;    // Session::listener is a byte
inline constexpr std::size_t services_max = 65535;   // Session::service is two

struct ListenerPlan {
  config::Listener options;
  bool live = true;                    // false: no longer configured; its sessions go on
  bool server_first = false;           // fixed to a protocol whose server speaks first: nothing is waited for
  std::uint32_t unfinished_max = 0;    // of this worker
  std::uint64_t sessions_max = 0;      // of this worker
};

struct ServicePlan {
  std::string name;
  const route::Service* route = nullptr;   // in the plan's table; nullptr when the service has gone
  Tick idle_ms = 3600000;
  bool half_close_full = false;
};

// What happens to sessions on a version that lost its share of a split.
struct VersionEnd {
  std::string service, version;
  Duration deadline{};                 // closed after this
  bool reset = false;                  // or at once, with a reset
};

struct Plan {
  std::uint64_t generation = 0;        // counts plans of this process
  std::vector<VersionEnd> version_ends;
  std::shared_ptr<const route::Table> table;
  std::shared_ptr<const limit::LimitSet> limits;
  std::vector<ListenerPlan> listeners;         // index: Session::listener
  std::vector<ServicePlan> services;           // index: Session::service
  std::vector<std::uint16_t> service_numbers;  // table's index to ours
  config::Relay relay;
  double access_sample = 1.0;
};

// The server of this protocol speaks first; the client's silence is the signal.
constexpr bool speaks_first(Protocol protocol) { return protocol == Protocol::mysql; }

}  // namespace nlb::relay
