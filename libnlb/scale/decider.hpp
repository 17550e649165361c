// One decision maker per service and version: freshness of the metrics, the policy's strategy, limits and holds. Pure: the caller
// measures, calls decide() every `policy.interval`, carries the decision out, and tells applied() and started().
#pragma once

#include <string>
#include <variant>

#include "libnlb/core/result.hpp"
#include "libnlb/scale/decision.hpp"
#include "libnlb/scale/freshness.hpp"
#include "libnlb/scale/hpa.hpp"
#include "libnlb/scale/policy.hpp"
#include "libnlb/scale/predictive.hpp"
#include "libnlb/scale/startup.hpp"
#include "libnlb/scale/threshold.hpp"

namespace nlb::scale {

class Decider {   // one owner, not thread safe
 public:
  explicit Decider(Policy policy);   // precondition: checked(policy)
  Decision decide(Now now, const Inputs& inputs);
  void applied(MonoTime at, std::uint32_t from, std::uint32_t to);   // the target took the order
  void started(Duration took);                                       // a replica registered so long after its order
  const Policy& policy() const { return policy_; }
  Duration startup() const { return startup_.estimate(); }
  const Predictive* predictive() const { return std::get_if<Predictive>(&strategy_); }   // for forecasts; null for others

  // What a restart needs, as JSON with ages instead of times (steady clocks differ between boots).
  std::string save(Now now);   // changes nothing
  // Errors: bad_input for text that save() did not write. A state of another strategy only restores the start-up delays.
  Result<void> load(std::string_view json, Now now);

 private:
  Policy policy_;
  Freshness freshness_;
  StartupDelay startup_;
  std::variant<Threshold, Hpa, Predictive> strategy_;
};

}  // namespace nlb::scale
