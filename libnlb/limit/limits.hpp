// Decides whether a new session may start, and how fast the bytes of an open one may flow.
//
// A LimitSet is immutable and shared by all workers; what it counts in (levels, open sessions, clients) lives in a
// Ledger that survives reloads, keyed by the rules' names. Rules that aren't per client depend on protocol and
// service alone, so the rules of every such pair are found once, at build time: a session's class. All rules of a
// session are asked; when a later one denies, earlier ones get back what they gave, so a denied session costs no
// limit anything. The client's own rules are asked first: one client's excess never touches the limits that others
// share. IPv4 clients are counted by address, IPv6 clients by /64, the smallest block that a site gets (RFC 6177).
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "libnlb/core/address.hpp"
#include "libnlb/core/hash.hpp"
#include "libnlb/core/protocol.hpp"
#include "libnlb/core/result.hpp"
#include "libnlb/core/time.hpp"

namespace nlb::limit {

enum class Per : std::uint8_t { protocol, service, client };
enum class Action : std::uint8_t { refuse, queue, delay };
enum class Reason : std::uint8_t { none, rate, connections };

constexpr std::string_view to_string(Reason r) {
  return r == Reason::rate ? "rate" : r == Reason::connections ? "connections" : "none";
}

struct Queue {
  std::uint32_t sessions_max = 1000;
  Duration timeout = 5s;
};

struct Rule {
  std::string name;
  std::optional<Protocol> protocol;    // only this protocol; per protocol without it: each protocol on its own
  std::optional<std::string> service;  // only this service; per service without it: each service on its own
  Per per = Per::protocol;
  double rate = 0;                     // new sessions a second; 0: not limited
  double burst = 0;                    // 0: the rate
  std::uint64_t connections = 0;       // open at the same time; 0: not limited
  std::uint64_t bytes_per_second = 0;  // both directions together; 0: not limited
  std::uint32_t table_max = 100000;    // clients remembered
  Action action = Action::refuse;
  Queue queue;
};

struct Subject {
  Protocol protocol = Protocol::unknown;
  std::uint64_t service = 0;           // name_hash(service name); route::Service has it
  IpAddress client;
};

// What an open session holds. Trivially copyable; given back exactly once, to any later set of the same ledger.
struct Ticket {
  std::uint32_t hold = 0;              // the class held, plus 1
  std::uint32_t client = 0;            // the client's entry, plus 1
  std::uint32_t client_rules = 0;      // one bit per client rule held
  explicit operator bool() const { return hold != 0 || client != 0; }
};

struct Admission {
  bool allowed = true;
  Reason reason = Reason::none;        // denied: by what
  Action action = Action::refuse;      // denied: what to do now
  std::uint16_t rule = 0;              // denied: index into rules()
  Ticket ticket;                       // allowed: what to release at the end
  Duration retry_after{};              // denied by rate: when a token will be there; by connections: zero, since nobody knows
  std::atomic<std::uint32_t>* line = nullptr;   // denied: how many wait there, counted by those that wait; lives as long as the ledger
  explicit operator bool() const { return allowed; }
};

struct RuleStats {                     // one per bucket: what /metrics and /status show
  std::string name;
  std::string of;                      // the protocol, service or "client" that it counts
  std::string protocol;                // label; "all" when the rule is for every protocol
  std::uint64_t allowed = 0, denied_rate = 0, denied_connections = 0;
  std::uint64_t open = 0, waiting = 0;
  double tokens_available = 0;         // per client: not known (0)
};
struct ClientTableStats {
  std::uint64_t clients = 0, capacity = 0;
  std::uint64_t evicted_idle = 0;      // nothing open, nothing spent: forgetting changes nothing
  std::uint64_t evicted_spent = 0;     // forgotten with tokens spent: raise table_max
  std::uint64_t untracked = 0;         // every entry nearby had sessions open: let in without client rules
};

class Ledger;

class LimitSet {
 public:
  // `previous` hands over its ledger: levels, open sessions and clients of rules with the same name and purpose.
  // `services`: the names that rules per service without a service are spread over. `seed`: for the client table's
  // hash, used when there is no `previous`. Errors (config): duplicate or empty names, a rule that limits nothing,
  // more than client_rules_max rules per client.
  static Result<std::shared_ptr<const LimitSet>> build(std::vector<Rule> rules, const std::vector<std::string>& services, MonoTime now,
                                                       const LimitSet* previous = nullptr, std::uint64_t seed = 0);
  static constexpr std::size_t client_rules_max = 4;
  ~LimitSet();
  LimitSet(const LimitSet&) = delete;
  LimitSet& operator=(const LimitSet&) = delete;

  // Any thread; no allocation. `again`: a session that waits asks once more; its denial was counted the first time.
  Admission admit(const Subject& subject, MonoTime now, bool again = false) const;
  void release(Ticket ticket) const;
  // Accounts bytes of either direction; answers how long to pause reading (mostly zero). One branch when no rule
  // limits bytes.
  Duration charge(Ticket ticket, std::uint64_t bytes, MonoTime now) const {
    return limits_bytes_ && ticket ? charge_held(ticket, bytes, now) : Duration::zero();
  }
  bool limits_bytes() const { return limits_bytes_; }
  const std::vector<Rule>& rules() const { return rules_; }
  std::vector<RuleStats> stats(MonoTime now) const;
  ClientTableStats clients() const;

 private:
  struct Parts;
  LimitSet();
  Duration charge_held(Ticket ticket, std::uint64_t bytes, MonoTime now) const;

  std::vector<Rule> rules_;
  bool limits_bytes_ = false;
  std::unique_ptr<Parts> parts_;
};

}  // namespace nlb::limit
