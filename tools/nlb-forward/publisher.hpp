// What this forwarder tells the others, once a second: `traffic` per service and version, `applied` per split, `breakers` per module.
// Counters are cumulative for the life of the process: what a module counted stays in its version's totals after it has left.
// Belongs to the control thread.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "libnlb/core/hash.hpp"
#include "libnlb/relay/forwarder.hpp"
#include "libnlb/rollout/distinct.hpp"
#include "nlb/v1/bus.pb.h"
#include "tools/nlb-forward/facts.hpp"

namespace nlb::forward {

struct Outgoing { std::string topic, payload; };

class Publisher {
 public:
  Publisher(std::string forwarder, std::uint64_t started_unix_us);

  // Everything that is to be published now; call once a second. Cost: all cells of all modules.
  std::vector<Outgoing> collect(relay::Forwarder& forwarder, const Facts& facts, MonoTime now);

 private:
  using VersionKey = std::pair<std::string, std::string>;   // service, version
  struct Sums {                                             // of one module, or of modules that have gone
    v1::Counters counters;
    metrics::Histogram connect, first_byte, session, answer_bytes;
    bool halves = false;                                    // the four below are counted
    std::uint64_t half_attempts = 0;
    metrics::Histogram half_first_byte, half_session, half_answer_bytes;
    void add(const Sums& other);
  };
  struct Clients { std::uint64_t failing = 0, connect_failing = 0; };   // distinct in 60 s; by any failure, by a failed connect
  struct Second { std::uint64_t second = 0, attempts = 0, failures = 0, failing_clients = 0; };
  struct Version {
    Sums gone;                                              // of modules that the roster has freed
    std::map<std::uint32_t, Sums> present;                  // by module number, as last seen
    std::map<std::uint32_t, Clients> clients_of;            // by module number
    Clients clients, half_clients;
    std::deque<Second> seconds;
    std::uint64_t attempts_before = 0, opened_before = 0;
    std::vector<std::uint64_t> refused;                     // clients whose connects failed since the last call, a key each
    rollout::ConnectRun row;
    Protocol protocol = Protocol::unknown;
    std::string colour;
  };
  struct InForce {                                          // a split that every worker follows
    std::uint64_t revision = 0, epoch = 0, generation = 0;
    MonoTime since{};
    bool confirmed = false;
    std::map<std::string, std::uint64_t> routed_before;     // by version
  };

  void count_modules(relay::Forwarder& forwarder);
  void count_failures(relay::Forwarder& forwarder, MonoTime now);
  v1::Traffic traffic(const VersionKey& key, Version& version, relay::Forwarder& forwarder, MonoTime now);
  v1::Applied applied(const std::string& service, const KnownSplit& known, relay::Forwarder& forwarder, MonoTime now);
  static void put_half(const Version& version, const Sums& all, v1::Traffic& message);
  void count_row(Version& version, const v1::Counters& totals, v1::Traffic& message);
  std::uint64_t routed(const std::string& service, const std::string& version) const;
  Second& second_of(Version& version, std::uint64_t second);

  std::string name_;
  std::uint64_t started_unix_us_, sample_ = 0;
  SipKey client_key_;
  std::map<VersionKey, Version> versions_;
  struct Failing { rollout::FailingClients any, connect; };
  std::map<std::string, Failing> failing_;                  // by service, both colours together
  std::map<std::string, InForce> in_force_;
};

}  // namespace nlb::forward
