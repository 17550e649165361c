// What the controller knows of the world: the newest traffic, acknowledgements, modules and replicas that it heard on the bus, and what
// they mean for one service's rollout. Values in, values out; time is a parameter.
//
// A forwarder lives for a service while its traffic is fresh: a new sample number within `fresh_for`. A publisher that repeats an old
// sample, or an Applied that was heard long ago, is no sign of life. One that has fallen silent may only be slow, and still carry traffic:
// until `gone_after` a step up waits for it, unless it said before that it has the weights. Belongs to the controller's thread.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "libnlb/bus/subscriber_state.hpp"
#include "libnlb/registry/module.hpp"
#include "libnlb/rollout/meter.hpp"
#include "libnlb/rollout/rollout.hpp"
#include "nlb/v1/bus.pb.h"

namespace nlb::deploy {

inline constexpr Duration fresh_for = std::chrono::seconds(5), gone_after = std::chrono::seconds(60);
inline constexpr std::size_t window_seconds = 10;         // of the rates in a status
inline constexpr std::size_t pending_max = 100000;        // traffic samples between two ticks; more are dropped and counted

struct VersionView {                                      // for people: the last ten seconds
  std::uint32_t modules = 0, modules_routable = 0;
  std::uint64_t sessions_active = 0, first_byte_p50_us = 0, first_byte_p99_us = 0;
  double attempts_per_second = 0, failures_per_second = 0, failing_clients_per_second = 0;
};

class News {
 public:
  void hear(const bus::Change& change, MonoTime now);

  // One entry per site of the plan, in its order: what happened since the last call, and how things are. Call once a second.
  // A share is only held against the weight where clients are counted, or each connection is on its own: sessions of one client agree.
  std::vector<rollout::SiteNews> sites(const rollout::Rollout& rollout, bool per_connection, MonoTime now);
  rollout::Sample halves(const std::string& service);     // of the version that serves, since the last call

  VersionView view(const std::string& service, const std::string& version, MonoTime now) const;
  double measured_share(const std::string& service, const rollout::Split& split, MonoTime now) const;   // of the candidate; 0 when nobody measured
  std::vector<v1::Applied> forwarders(const std::string& service, MonoTime now) const;      // live ones
  std::vector<std::string> lagging(const std::string& service, const rollout::Split& split, MonoTime now) const;
  std::vector<std::string> versions(const std::string& service) const;                      // that any module has
  std::vector<std::string> services() const;
  Protocol protocol(const std::string& service) const;
  std::string colour(const std::string& service, const std::string& version) const;         // empty: no module says
  // Modules of that version that may get sessions; nullopt: nobody reports any module of the service.
  std::optional<std::uint32_t> healthy(const std::string& service, const std::string& version, MonoTime now) const;
  bool scaled(const std::string& service) const;          // a scaler reports replicas of it
  std::uint32_t ready(const std::string& service, const std::string& version) const;        // as the scaler reports; 0: not at all
  std::uint64_t dropped() const { return dropped_; }

 private:
  struct Series { rollout::TrafficReader reader; v1::Traffic last; MonoTime heard{}; };
  struct Service {
    std::map<std::string, std::map<std::string, Series>> traffic;       // forwarder, version
    std::map<std::string, v1::Applied> applied;                         // by forwarder
    std::map<std::string, registry::Module> modules;
    std::map<std::string, v1::Replicas> replicas;                       // by version
    struct Pending { std::string forwarder, version; rollout::TrafficSample news; };
    std::vector<Pending> pending;
    std::map<std::string, rollout::SiteMeter> meters;                   // by site
    std::map<std::string, std::deque<rollout::TrafficSample>> window;   // by version, newest last
    std::vector<std::uint64_t> first_byte_bounds;
  };
  void hear_traffic(const std::string& topic, const bus::Change& change, MonoTime now);
  bool heard_within(const Service& service, const std::string& forwarder, Duration limit, MonoTime now) const;
  bool lives(const Service& service, const std::string& forwarder, MonoTime now) const { return heard_within(service, forwarder, fresh_for, now); }
  rollout::Health health(const Service& service, const rollout::Rollout& rollout, const std::string& site, MonoTime now) const;
  rollout::Room room(const Service& service, const std::string& candidate, const std::string& site, MonoTime now) const;
  void keep_window(Service& service);
  const Service* find(const std::string& service) const;

  std::map<std::string, Service> services_;
  std::uint64_t dropped_ = 0;
};

}  // namespace nlb::deploy
