// One service and version: measure, decide, write down, act, write down the outcome. Everything happens on the loop's thread; the target
// and the store answer later, and a target that never answers well only raises an alarm. Decisions and changes are counted apart.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "libnlb/config/config.hpp"
#include "libnlb/metrics/histogram.hpp"
#include "libnlb/orchestrator/target.hpp"
#include "libnlb/scale/decider.hpp"
#include "libnlb/scale/meter.hpp"
#include "libnlb/scale/overrides.hpp"
#include "libnlb/scale/pool.hpp"
#include "nlb/v1/scale.pb.h"
#include "tools/nlb-scale/keeper.hpp"

namespace nlb::tool {

struct World {                 // what a Scaler may do to others; all calls on the loop's thread
  std::function<void(Event, store::Transaction, Keeper::Done)> record;
  std::function<void(const std::string& service)> drains_changed;
  std::function<void(const class Scaler&)> decided;
  std::function<std::vector<scale::Metric>(const std::string& service)> service_metrics;   // of all its versions together
};

struct ScalerOptions {
  config::ScalePolicy policy;
  std::string version;
  Duration interval = std::chrono::seconds(30);
  Duration drain_timeout = std::chrono::seconds(30);
  std::array<bool, scale::metric_kinds> required{};   // asked for by name: missing until measured; others count once they are measured
};

inline std::string replicas_text(std::uint32_t n) { return std::to_string(n) + (n == 1 ? " replica" : " replicas"); }

struct DecisionCounts { std::uint64_t up = 0, down = 0, hold = 0, operations_up = 0, operations_down = 0, failures = 0; };

class Scaler {
 public:
  Scaler(ScalerOptions options, World& world, std::unique_ptr<orchestrator::Target> target);
  ~Scaler();
  Scaler(const Scaler&) = delete;
  Scaler& operator=(const Scaler&) = delete;

  const std::string& service() const { return options_.policy.service; }
  const std::string& version() const { return options_.version; }
  const config::ScalePolicy& policy() const { return options_.policy; }
  std::string name() const { return service() + "/" + version(); }
  Duration interval() const { return options_.interval; }
  bool observes() const { return options_.policy.target.kind == "observe"; }

  // Facts from outside.
  scale::Meter& meter() { return meter_; }
  scale::Pool& pool() { return pool_; }
  const scale::Pool& pool() const { return pool_; }
  void held(std::uint32_t replicas, MonoTime until) { hold_ = replicas; hold_until_ = until; }
  void weights(std::uint32_t next_weight, bool retired, bool in_rollout);
  void wait_for_facts(bool waiting) { facts_missing_ = waiting; }

  // Commands.
  Result<> change(ScalerOptions options);              // another policy; what was learned stays
  void set_by_hand(std::uint32_t replicas, Duration hold);
  void freeze(Duration hold);
  void pause(bool up, bool down);
  Result<> drain(const std::string& module, Duration deadline, const std::string& reason);
  Result<> undrain(const std::string& module);

  void tick(MonoTime now);                             // often; decides when its time has come
  void decide_soon() { next_ = MonoTime{}; }

  // What is known.
  v1::Replicas replicas() const;
  std::vector<v1::Drain> drains() const;
  std::optional<v1::ScaleAction> action() const;
  v1::Forecast forecast(Duration horizon) const;
  const std::optional<scale::Decision>& last() const { return last_; }
  const DecisionCounts& counts() const { return counts_; }
  const metrics::Histogram& decision_times() const { return decision_times_; }
  std::string alarm() const;
  std::string explanation() const;

  // For the store.
  std::string save_state();
  std::string save_manual() const;
  void restore(const std::map<std::string, std::string>& entries);   // the store's keys below "<kind>/<service>/<version>"
  std::string key(std::string_view kind) const { return std::string(kind) + "/" + service() + "/" + version(); }

 private:
  using Seen = Result<orchestrator::Observation>;
  struct RestoredDrain { WallTime deadline; scale::DrainKind kind; };
  struct Running { std::string id; std::int32_t change; std::string state; MonoTime since, deadline; std::string error; };

  scale::Policy effective() const;
  void renew_decider();
  void observe(MonoTime now);
  void observed(const Seen& seen);
  void decide();
  std::vector<scale::Metric> metrics(MonoTime now);
  scale::Overrides overrides(MonoTime now);
  void resume(scale::Overrides& overrides);
  void act(const scale::Decision& decision);
  void grow(const scale::Decision& decision, std::uint32_t more);
  void shrink(const scale::Decision& decision, std::uint32_t fewer);
  void order(std::uint32_t from, std::uint32_t to);
  void finished(const Result<>& outcome, std::uint32_t from, std::uint32_t to);
  void start_drains(const std::vector<std::string>& ids, scale::DrainKind kind, Duration limit, const std::string& reason);
  void finish_drains(MonoTime now);
  void remove(const std::string& id);
  void replace_stuck();
  void repair();
  void put_drain(store::Transaction& transaction, const std::string& id) const;
  std::string drain_key(const std::string& id) const { return key("drain") + "/" + id; }
  Event event(std::string verb, std::string text) const;

  ScalerOptions options_;
  World& world_;
  std::unique_ptr<orchestrator::Target> target_;
  scale::Meter meter_;
  scale::Pool pool_;
  std::unique_ptr<scale::Decider> decider_;
  std::array<bool, scale::metric_kinds> measured_{};

  std::uint32_t hold_ = 0, next_weight_ = 0;
  MonoTime hold_until_{};
  bool retired_ = false, in_rollout_ = false, facts_missing_ = true;
  bool pause_up_ = false, pause_down_ = false;
  std::optional<MonoTime> frozen_until_, by_hand_until_;
  std::optional<std::uint32_t> by_hand_, resume_, agreed_;   // agreed: the count that the target took last

  MonoTime next_{}, next_drain_look_{}, next_repair_{}, settled_{};
  bool observing_ = false, seen_once_ = false;
  std::string token_, observe_error_, store_error_;
  std::optional<scale::Decision> last_;
  std::uint32_t recommended_ = ~0U;
  std::uint64_t revision_ = 0, next_action_ = 1;
  std::optional<Running> running_;
  std::map<std::string, RestoredDrain> restored_drains_;   // from before a restart, until the target has been seen
  DecisionCounts counts_;
  metrics::Histogram decision_times_;
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);   // answers that come after our end are dropped
};

}  // namespace nlb::tool
