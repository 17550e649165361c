// The replicas of one service and version, from three views that never agree at every moment: what the target runs, what registered as
// modules, and how many sessions the forwarders count. Knows how many are ordered and ready, who goes when fewer are wanted (what
// failed, what never served, then the fewest sessions), and what is being drained:
//
//   drain -> empty, or the deadline -> may be removed            load returns first -> called back, unless somebody named it
//
// A module belongs to a replica when it has its name, its label "instance", or its address.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "libnlb/core/time.hpp"

namespace nlb::scale {

struct ReplicaSeen {           // at the target
  enum class State : std::uint8_t { starting, ready, stopping, failed } state = State::starting;
  std::string id, address;
  Duration age{};              // in this state
};
struct ModuleSeen {            // at the registry
  std::string name, instance, address;   // instance: of its labels; empty: none
  bool routable = true, draining = false;   // routable: it would get sessions if nobody drained it
};
enum class DrainKind : std::uint8_t {
  spare,   // fewer are wanted: called back when more are
  named,   // this one shall go, whatever is wanted: another takes its place
};
struct DrainOf {
  MonoTime since, deadline;
  std::string reason;
  DrainKind kind = DrainKind::spare;
  bool removing = false;
};
struct Counts { std::uint32_t wanted_of_target = 0, ordered = 0, live = 0, ready = 0, draining = 0; };

class Pool {   // one owner, not thread safe
 public:
  // Registered replicas that were new: how long each took since it was started. `desired`: what the target believes is wanted.
  void observed(std::vector<ReplicaSeen> replicas, std::uint32_t desired, MonoTime now);
  // The target counts nothing (it only observes): the modules are the replicas.
  void uncounted();
  void module(const ModuleSeen& seen) { modules_[seen.name] = seen; }
  void module_gone(const std::string& name) { modules_.erase(name); }
  void sessions(const std::string& forwarder, const std::string& module, std::uint64_t open, MonoTime now);
  void forget_forwarder(const std::string& forwarder);

  Counts counts() const;
  bool ready(const std::string& id) const;
  // Replicas that became ready since the last call, and how long after their start.
  std::vector<std::pair<std::string, Duration>> newly_ready(MonoTime now);
  // Starting for longer than `limit`.
  std::vector<std::string> stuck(Duration limit) const;
  // At most `count` that should go; who is draining already isn't among them.
  std::vector<std::string> choose(std::uint32_t count, MonoTime now) const;
  std::optional<std::uint64_t> sessions_of(const std::string& id, MonoTime now) const;   // nullopt: nobody has told

  void drain(const std::string& id, DrainKind kind, Duration limit, std::string reason, MonoTime now);
  std::vector<std::string> call_back(std::uint32_t count);       // of the spare, the youngest drains first; returns who stays
  bool call_back(const std::string& id);                         // of either kind; false: it isn't drained, or is being removed
  std::vector<std::string> removable(MonoTime now) const;
  void removing(const std::string& id, bool yes) { if (const auto at = drains_.find(id); at != drains_.end()) at->second.removing = yes; }
  void removed(const std::string& id);
  const std::map<std::string, DrainOf>& drains() const { return drains_; }
  const std::vector<ReplicaSeen>& replicas() const { return replicas_; }
  const ModuleSeen* module_of(const ReplicaSeen& replica) const;
  std::optional<std::string> replica_named(const std::string& name) const;   // by id, or by its module's name
  std::string module_name(const std::string& id) const;                      // at the registry; the id itself until it has registered
  bool registered() const { return !modules_.empty(); }

 private:
  struct Told { std::uint64_t open; MonoTime at; };
  const ReplicaSeen* find(const std::string& id) const;
  bool empty(const std::string& id, const DrainOf& drain, MonoTime now) const;

  std::vector<ReplicaSeen> replicas_;
  std::uint32_t desired_ = 0;
  bool counted_ = true;
  std::map<std::string, ModuleSeen> modules_;                            // by name
  std::map<std::string, std::map<std::string, Told>> sessions_;          // by forwarder, module
  std::map<std::string, DrainOf> drains_;                                // by replica
  std::map<std::string, MonoTime> started_;                              // first seen, not ready yet
};

inline constexpr Duration sessions_fresh_for = std::chrono::seconds(15);
inline constexpr Duration drain_at_least = std::chrono::seconds(2);      // until every forwarder has heard of it

}  // namespace nlb::scale
