// What the bus says about services: who registered, how traffic is split, what a rollout holds. The last known copy; a peer that falls
// silent changes nothing here.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>

#include "libnlb/bus/bus.hpp"
#include "libnlb/core/protocol.hpp"
#include "libnlb/scale/meter.hpp"
#include "libnlb/scale/pool.hpp"
#include "nlb/v1/bus.pb.h"

namespace nlb::tool {

struct VersionFacts {
  std::map<std::string, scale::ModuleSeen> modules;      // by name
  std::optional<v1::HoldPart> hold;
  MonoTime hold_until{};
};

struct ServiceFacts {
  std::map<std::string, VersionFacts> versions;
  std::optional<v1::Split> split;
  std::optional<v1::Rollout> rollout;
  std::optional<Protocol> protocol;
  MonoTime traffic_at{};                                 // the last word of a forwarder
  std::string protocol_name() const { return protocol ? std::string(to_string(*protocol)) : "unknown"; }
  bool rollout_running() const { return split && !split->rollout_id().empty(); }
  // The weight in 1/10000 that a version may get next: a hold's share, all of it for the version that a rollback returns to.
  std::uint32_t next_weight(const std::string& version) const;
  bool retired(const std::string& version, MonoTime now) const;   // a split is known that gives it nothing, and nothing holds it
};

struct TrafficSink {           // where the counters of forwarders and the levels of modules go
  virtual ~TrafficSink() = default;
  virtual void traffic(const std::string& source, const v1::Traffic& message, MonoTime at) = 0;
  virtual void forwarder_gone(const std::string& source, const std::string& service, const std::string& version) = 0;
  virtual void load(const v1::ModuleLoad& message, MonoTime at) = 0;                      // a module's heartbeat
  virtual void load_gone(const std::string& service, const std::string& module) = 0;
};

class Facts {                  // the loop's thread only
 public:
  // True when the list of versions of a service, its split or a hold changed.
  void take(const bus::PeerChange& change, MonoTime now, TrafficSink& sink);
  std::map<std::string, ServiceFacts>& services() { return services_; }
  const ServiceFacts* find(const std::string& service) const;
  void module(const std::string& service, const std::string& version, const scale::ModuleSeen& seen);
  void module_gone(const std::string& service, const std::string& name);
  bool heard_of(std::string_view topic_class) const { return heard_.contains(std::string(topic_class)); }
  std::uint64_t unreadable() const { return unreadable_; }

 private:
  void put(const std::string& topic, const std::string& payload, MonoTime made_at, MonoTime now, TrafficSink& sink);
  void gone(const std::string& topic, TrafficSink& sink);
  template <class Message> std::optional<Message> parse(const std::string& payload);

  std::map<std::string, ServiceFacts> services_;
  std::set<std::string> heard_;
  std::uint64_t unreadable_ = 0;
};

}  // namespace nlb::tool
