// The registry at work: one membership on the daemon's loop, and everything that hangs on it. A call comes from gRPC's threads and is
// posted here; the membership decides; its notices go to the checks at once, and to the store, the bus and the watchers in this order.
// A call that changed something is answered when the change is kept. While another registry leads, every call is refused with its name.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "libnlb/bus/bus.hpp"
#include "libnlb/check/checker.hpp"
#include "libnlb/config/config.hpp"
#include "libnlb/daemon/loop.hpp"
#include "libnlb/metrics/histogram.hpp"
#include "libnlb/registry/membership.hpp"
#include "libnlb/rpc/module_pool.hpp"
#include "libnlb/rpc/registry_service.hpp"
#include "tools/nlb-registry/keeper.hpp"
#include "tools/nlb-registry/sessions.hpp"
#include "tools/nlb-registry/watchers.hpp"

namespace nlb::registrar {

inline constexpr Duration tick_interval = std::chrono::milliseconds(100);
inline constexpr Duration sessions_settle = std::chrono::seconds(2);     // forwarders' word that nobody is left counts after so long
inline constexpr Duration forwarders_settle = std::chrono::seconds(5);   // after its start, until the registry knows all forwarders

registry::Limits limits_of(const config::Registry& config);

class Engine {   // belongs to the loop's thread; handlers() may be called from any
 public:
  using Publish = std::function<void(std::string topic, std::string payload)>;      // an empty payload withdraws

  Engine(daemon::ControlLoop& loop, const config::Config& config, Keeper& keeper, std::uint64_t seed);

  rpc::RegistryHandlers handlers();
  void set_publish(Publish publish) { publish_ = std::move(publish); }
  // Whether the lease of a shared store still says that we lead, at this moment and by our own clock: a process that was stopped longer
  // than its lease finds out here, before the election's news has reached the loop. By default: always.
  void set_lease(std::function<bool()> holds) { lease_holds_ = std::move(holds); }
  void lead(std::uint64_t epoch, std::vector<registry::Stored> known);   // with everything published again
  void step_down(std::string leader);                                    // whose name callers are told; empty: nobody is known
  void reload(const config::Config& config);
  void heard(const bus::PeerChange& change);                             // forwarders' traffic, the scaler's drains
  void stop();                                                           // ends the watchers' streams

  bool leading() const { return leading_ && lease_holds_(); }
  bool in_term() const { return leading_; }                              // has led and not stepped down, whatever its lease says
  std::uint64_t epoch() const { return epoch_; }
  MonoTime started() const { return started_; }
  const std::string& leader() const { return leader_; }
  const registry::Membership& members() const { return *members_; }
  const rpc::ModulePool& pool() const { return pool_; }
  check::Checker::Status checks() const { return checker_.status(); }
  const Sessions& sessions() const { return sessions_; }
  struct ByProtocol { std::uint64_t expired = 0, checks_good = 0, checks_bad = 0; metrics::Histogram check_duration; };
  const std::array<ByProtocol, protocol_count>& by_protocol() const { return by_protocol_; }

 private:
  template <class Request, class Reply>
  rpc::Handler<Request, Reply> on_loop(void (Engine::*work)(const registry::Caller&, const Request&, Reply&, rpc::Done));
  void on_register(const registry::Caller& caller, const v1::RegisterModuleRequest& request, v1::RegisterModuleReply& reply, rpc::Done done);
  void on_heartbeat(const registry::Caller& caller, const v1::HeartbeatRequest& request, v1::HeartbeatReply& reply, rpc::Done done);
  void on_health(const registry::Caller& caller, const v1::UpdateHealthRequest& request, v1::UpdateHealthReply& reply, rpc::Done done);
  void on_unregister(const registry::Caller& caller, const v1::UnregisterModuleRequest& request, v1::UnregisterModuleReply& reply, rpc::Done done);
  void on_drain(const registry::Caller& caller, const v1::DrainModuleRequest& request, v1::DrainModuleReply& reply, rpc::Done done);
  void on_stats(const registry::Caller& caller, const v1::GetStatsRequest& request, v1::GetStatsReply& reply, rpc::Done done);
  void on_list(const registry::Caller& caller, const v1::ListModulesRequest& request, v1::ListModulesReply& reply, rpc::Done done);
  void on_watch(std::shared_ptr<rpc::Watcher> watcher);

  bool refuse_follower(const rpc::Done& done) const;
  bool refuse_stranger(const registry::Caller& caller, const std::string& id, const rpc::Done& done) const;
  void tick();
  void end_drained();
  void checked(const std::string& id, const registry::CheckAnswer& answer);
  void settle(rpc::Done done);                       // acts on the membership's notices; `done` is told when they are kept
  void begin(const registry::Notice& notice);
  void keep(const registry::ModuleKey& key, Keeper::Done told);
  Keeper::Done when_kept(std::function<void(const Result<>&)> act, rpc::Done done);      // both on the loop, within this term
  void kept(const registry::Notice& notice, const Result<>& result);
  void publish_module(const registry::ModuleKey& key);
  void publish_health(const registry::ModuleKey& key);
  void publish_load(const std::string& id, Duration next);
  void hear_drains(const bus::Change& change);

  daemon::ControlLoop& loop_;
  Keeper& keeper_;
  registry::Limits limits_;
  config::HealthCheck check_defaults_;
  std::uint64_t seed_, epoch_ = 0, term_ = 0;        // term: counts changes of leadership, so that late answers are known as such
  bool leading_ = false;
  std::function<bool()> lease_holds_ = [] { return true; };
  std::string leader_;
  MonoTime started_;
  std::unique_ptr<registry::Membership> members_;
  rpc::ModulePool pool_;
  check::Checker checker_;
  Sessions sessions_;
  std::map<std::string, registry::Listed> drains_;   // the scaler's newest word, by service
  std::map<std::string, MonoTime> draining_;         // since when
  Watchers watchers_;
  Publish publish_;
  std::array<ByProtocol, protocol_count> by_protocol_{};
  std::unique_ptr<daemon::Timer> timer_;
};

}  // namespace nlb::registrar
