// How one service is served, as the table and the relay need it: the mirror of `services:` in nlb.yaml, with the
// same defaults.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libnlb/core/address.hpp"
#include "libnlb/core/hash.hpp"
#include "libnlb/core/protocol.hpp"
#include "libnlb/core/time.hpp"

namespace nlb::route {

enum class Picker : std::uint8_t { least_conn, round_robin, random, p2c, hash, latency };
inline constexpr std::array<std::string_view, 6> picker_names = {"least_conn", "round_robin", "random", "p2c", "hash", "latency"};
constexpr std::string_view to_string(Picker p) { return picker_names[static_cast<std::size_t>(p)]; }

struct EjectOptions {
  std::uint32_t failures = 5;          // in a row; 0: never ejected
  Duration period = 30s;               // times the number of ejections so far
  std::uint32_t percent_max = 10;      // of the service's modules; at least one
};
struct QueueOptions {
  std::uint32_t sessions_max = 1000;
  Duration timeout = 5s;
};

struct ServiceOptions {
  Picker picker = Picker::least_conn;
  bool hash_sni = false;               // picker hash: by SNI where there is one, else by client address
  Duration slow_start = 0ms;
  EjectOptions eject;
  std::uint32_t breaker_pending_max = 1000;   // sessions connecting to one module at a time
  bool fallback_versions = true;
  std::string zone_preferred;
  // The relay's part.
  Duration connect_timeout = 2s;
  std::uint32_t connect_tries = 3;
  Duration idle_timeout = 1h;
  bool half_close_full = false;
  Duration drain_timeout = 30s;
  Duration drain_jitter = 5s;
  QueueOptions queue;
};

// First match wins; absent conditions match everything.
struct RouteRule {
  std::optional<std::string> listener;
  std::optional<Protocol> protocol;
  std::optional<std::string> sni, alpn, http_host;   // sni, http_host: exact or "*.suffix", letter case ignored, port of a host ignored
  std::optional<std::string> postgres_database, postgres_user;
  std::vector<Network> source;
  std::string service;
};

struct VersionWeight {
  std::string version;
  std::uint32_t weight = 0;            // of 10,000
};
enum class SplitSticky : std::uint8_t { client, connection };

// Which share of a service's new sessions each version gets. Buckets (core/sticky.hpp) go to versions in the order
// given, so every forwarder must see the same order; put the version whose share changes (the canary) first: then
// bucket < weight is the canary.
struct Split {
  std::string service;
  std::vector<VersionWeight> versions;
  SplitSticky sticky = SplitSticky::client;
  SipKey salt{};                       // new per rollout
  std::uint64_t generation = 0;        // of the owner; answered back on the bus when this split is in force
};

}  // namespace nlb::route
