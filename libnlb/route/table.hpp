// The immutable routing table: from what is known of a session to a service, and from a service to a reserved slot
// on one module.
//
// The control thread builds a Table and posts shared_ptr<const Table> to every worker; a worker keeps it until the
// next. Nothing in it changes but the states it points to (module_state.hpp). Both questions allocate nothing.
//
// route(): the first matching rule; else the service called like the protocol; else the only service that speaks it
// and is no rule's target. TLS asks rules without a protocol or with `tls`, then a service called `tls`, and then
// goes where http goes. pick(): the split says which version; its modules stand in tiers (own zone, then by
// priority, backups last); the service's picker chooses in the first tier that has a usable module with a free slot.
// Reserving is part of the choice.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "libnlb/core/result.hpp"
#include "libnlb/core/rng.hpp"
#include "libnlb/registry/module.hpp"
#include "libnlb/route/options.hpp"
#include "libnlb/route/roster.hpp"
#include "libnlb/route/slot.hpp"

namespace nlb::route {

struct TableInput {
  std::vector<registry::Module> modules;
  std::map<std::string, ServiceOptions> services;   // a service that isn't here has ServiceOptions{}
  std::vector<RouteRule> routes;
  std::vector<Split> splits;
  std::string fallback;                             // service for unknown traffic; empty: no_route
  std::vector<std::string> listeners;               // names; RouteQuestion::listener is an index into them
  std::uint64_t generation = 0;                     // for status and logs
};

struct RouteQuestion {
  std::uint16_t listener = 0;
  Protocol protocol = Protocol::unknown;
  std::string_view sni, alpn, http_host, database, user;   // empty: absent or not known yet
  bool details_complete = false;                           // more bytes would add nothing
  IpAddress client;
};

struct RouteAnswer {
  enum class Kind : std::uint8_t { service, need_details, no_route };
  Kind kind = Kind::no_route;
  std::uint32_t service = 0;                        // for Kind::service: index for pick()
  std::int32_t rule = -1;                           // the rule that matched; -1: by protocol, -2: fallback
};

struct PickQuestion {
  IpAddress client;
  std::uint64_t hash_key = 0;                       // picker hash: key_of(sni); 0: the client's address
  MonoTime now;
  Rng& rng;
  std::span<ModuleState* const> tried = {};         // modules that failed for this session
};

enum class PickFailure : std::uint8_t { none, no_service, no_module, none_healthy, all_full, all_draining };
inline constexpr std::array<std::string_view, 6> pick_failure_names = {"none", "no_service", "no_module",
                                                                        "none_healthy", "all_full", "all_draining"};
constexpr std::string_view to_string(PickFailure f) { return pick_failure_names[static_cast<std::size_t>(f)]; }

struct Why {                                        // how a pick came about; explain() says it in words
  Picker picker = Picker::least_conn;
  std::uint8_t tier = 0;
  bool split = false;                               // a split chose the version
  bool fell_back = false;                           // that version had no usable module, another took the session
  bool panic = false;                               // more than half of the service is ejected, so ejection was ignored
};

struct PickResult {
  Slot slot;                                        // empty: see failure
  PickFailure failure = PickFailure::none;
  Why why;
  explicit operator bool() const { return static_cast<bool>(slot); }
};

struct Service {
  std::string name;
  std::uint64_t hash = 0;                           // name_hash(name): limit::Subject::service
  Protocol protocol = Protocol::unknown;            // what its modules speak; unknown without modules
  ServiceOptions options;
  std::shared_ptr<ServiceState> state;
  std::vector<std::shared_ptr<ModuleState>> modules;   // all, in the order of the input: unusable and draining ones too
  std::uint64_t split_generation = 0;               // 0: no split
};

class Table {
 public:
  // Errors (config): a rule without a service. Modules that can't be used (speak another protocol than their service)
  // are left out and named in warnings(). Keeps states in `roster`, and marks there what has left.
  static Result<std::shared_ptr<const Table>> build(TableInput input, Roster& roster, MonoTime now);
  ~Table();
  Table(const Table&) = delete;
  Table& operator=(const Table&) = delete;

  RouteAnswer route(const RouteQuestion& question) const;
  PickResult pick(std::uint32_t service, const PickQuestion& question) const;

  // True when a rule for this protocol asks for details: otherwise nobody needs to read them.
  bool wants_details(Protocol protocol) const;

  const std::vector<Service>& services() const;     // index = RouteAnswer::service
  const Service& service(std::uint32_t index) const { return services()[index]; }
  const Service* find_service(std::string_view name) const;
  std::uint64_t generation() const;
  const std::vector<std::string>& warnings() const;

  std::string explain(const RouteAnswer& answer) const;                            // "route 2 (sni *.api.example) -> api"
  std::string explain(std::uint32_t service, const PickResult& result) const;      // "least_conn of web, version v2 (split): a"

 private:
  struct Parts;
  explicit Table(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

// The key of a name for picker hash; never 0.
inline std::uint64_t key_of(std::string_view name) { return name_hash(name) | 1; }

}  // namespace nlb::route
