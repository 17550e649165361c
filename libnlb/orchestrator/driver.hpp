// The seam to whatever runs replicas: processes, an engine, a cluster, a user's command. A Driver is plain and blocking; target.hpp puts
// a thread, deadlines, back-off and an alarm around it. The three verbs are those of HashiCorp Nomad's autoscaler plugins (status, scale)
// plus the removal of a chosen replica, which Kubernetes calls deletion cost.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "libnlb/core/result.hpp"
#include "libnlb/core/time.hpp"

namespace nlb::orchestrator {

enum class InstanceState : std::uint8_t { starting, ready, stopping, failed };
std::string_view to_string(InstanceState state);

struct Instance {
  std::string id, version;
  InstanceState state = InstanceState::starting;
  std::string address;          // host:port, or a host alone; empty: known when it registers
  Duration age{};               // in this state, as far as the target can tell
  std::uint32_t restarts = 0;   // after crashes
  std::string reason;           // why it failed, in the words of the target
};

struct Observation {
  std::vector<Instance> instances;
  std::uint32_t desired = 0;    // what the target believes is wanted
  std::string token;            // names this state: set() with it loses (conflict) when somebody else was first
  bool counted = true;          // false: this target sees no instances (observe)
  std::uint32_t live() const;   // starting and ready
};

// observe() and set() are called one at a time; remove() and mark_ready() may come from other threads meanwhile. Every call ends by its
// deadline. All are idempotent: the same call again, after a timeout or a restart, does no harm.
class Driver {
 public:
  virtual ~Driver() = default;
  virtual std::string_view kind() const = 0;
  virtual Result<Observation> observe(MonoTime deadline) = 0;
  // Wants `count` replicas. Fewer than there are: failed and starting ones go first, then the youngest; who knows better calls remove().
  // An empty token always wins. Errors: conflict (observe again), unavailable, timeout, refused, bad_input.
  virtual Result<> set(std::uint32_t count, const std::string& token, MonoTime deadline) = 0;
  // This one goes and isn't replaced: asked kindly, killed after `grace`. Done when it is gone, or when whoever removes it has agreed;
  // also done when it wasn't there.
  virtual Result<> remove(const std::string& instance, Duration grace, MonoTime deadline) = 0;
  virtual void mark_ready(const std::string& instance) { static_cast<void>(instance); }   // it registered
  virtual Duration retry_after() const { return {}; }   // what the outside asked for with its last refusal (HTTP 429)
};

// Who goes when nobody was chosen: failed, starting, then the youngest; stopping ones are gone already. At most `surplus` ids.
std::vector<std::string> who_goes(const std::vector<Instance>& instances, std::uint32_t surplus);

}  // namespace nlb::orchestrator
