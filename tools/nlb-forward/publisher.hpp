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
    void add(const Sums& other);
  };
  struct Second { std::uint64_t second = 0, attempts = 0, failures = 0, failing_clients = 0; };
  struct Version {
    Sums gone;                                              // of modules that the roster has freed
    std::map<std::uint32_t, Sums> present;                  // by module number, as last seen
    std::map<std::uint32_t, std::uint64_t> failing_of;      // distinct failing clients by module number
    std::deque<Second> seconds;
    std::uint64_t attempts_before = 0, failing_clients = 0;
    struct { std::uint64_t opened = 0, failures = 0, clients = 0, failed_row = 0, clients_row = 0; } row;   // connects that failed in a row
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
  void count_row(Version& version, const v1::Counters& totals, v1::Traffic& message);
  std::uint64_t routed(const std::string& service, const std::string& version) const;
  Second& second_of(Version& version, std::uint64_t second);

  std::string name_;
  std::uint64_t started_unix_us_, sample_ = 0;
  SipKey client_key_;
  std::map<VersionKey, Version> versions_;
  std::map<std::string, rollout::FailingClients> failing_;  // by service, both colours together
  std::map<std::string, InForce> in_force_;
};

}  // namespace nlb::forward
