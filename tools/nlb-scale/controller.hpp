// All services together: which versions there are, each with its Scaler; what the bus, exporters and stdin say goes to them; what they
// decide goes to the bus, the metrics and the history; and the verbs of the command line. Lives while this process leads. Loop's thread.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "libnlb/bus/bus.hpp"
#include "libnlb/cli/config_file.hpp"
#include "libnlb/daemon/loop.hpp"
#include "libnlb/metrics/exposition.hpp"
#include "tools/nlb-scale/facts.hpp"
#include "tools/nlb-scale/keeper.hpp"
#include "tools/nlb-scale/scaler.hpp"

namespace nlb::tool {

struct Publisher {             // the bus, or nothing in a test
  std::function<void(std::string topic, std::string payload)> publish;
  std::function<void(std::string topic)> withdraw;
};

class Controller final : private TrafficSink {
 public:
  Controller(const cli::ConfigFile& file, daemon::ControlLoop& loop, store::Store& store, std::optional<store::Condition> fence, std::uint64_t epoch,
             Publisher publisher);
  ~Controller() override;

  Result<> start(store::Store& store);                   // what the store remembers; then the loop's timer
  Result<> reload(const cli::ConfigFile& file);
  void on_bus(const bus::PeerChange& change);
  // A total of one source that isn't on the bus. `counter`: it only grows, and is read at `clock`.
  void measured(const std::string& source, const std::string& service, const std::string& version, scale::MetricKind kind, double value, bool counter);
  void module_seen(const std::string& service, const std::string& version, const scale::ModuleSeen& seen, std::optional<std::uint64_t> sessions, bool gone);
  void save();                                           // what was learned

  // The verbs. A repeated request id gets the first answer. What isn't legal now is no error but a reply that isn't accepted; errors:
  // bad_input names the field that is wrong, not_found what isn't scaled here.
  using Reply = Result<v1::CommandReply>;
  Reply set_policy(const v1::SetPolicyRequest& request);
  Reply delete_policy(const v1::DeletePolicyRequest& request);
  Reply set_replicas(const v1::SetReplicasRequest& request);
  Reply hold(const v1::HoldRequest& request);
  Reply pause(const v1::PauseRequest& request);
  Reply drain(const v1::DrainModulesRequest& request);
  v1::GetPolicyReply policies(const std::string& service) const;
  v1::ScaleStatus status(const std::string& service) const;
  Result<v1::ExplainScaleReply> explain(const std::string& service, const std::string& version) const;
  v1::ScaleHistoryReply history(const std::string& service, std::uint32_t limit) const;
  Result<v1::Forecast> forecast(const std::string& service, Duration horizon) const;
  std::uint64_t revision() const { return revision_; }

  void collect(metrics::Snapshot& into) const;
  std::string status_json() const;

 private:
  using Key = std::pair<std::string, std::string>;       // service, version
  using Change = std::function<Result<std::string>()>;   // answers the text for the history

  void traffic(const std::string& source, const v1::Traffic& message, MonoTime at) override;
  void forwarder_gone(const std::string& source, const std::string& service, const std::string& version) override;
  void load(const v1::ModuleLoad& message, MonoTime at) override;
  void load_gone(const std::string& service, const std::string& module) override;
  void tick();
  void find_versions();
  void update(Scaler& scaler, MonoTime now);
  void ensure(const config::ScalePolicy& policy, const std::string& version);
  ScalerOptions options_of(const config::ScalePolicy& policy, const std::string& version) const;
  const config::ScalePolicy* policy_for(const std::string& service, const std::string& version) const;
  std::vector<Scaler*> scalers_of(const std::string& service, const std::string& version) const;
  Result<std::vector<Scaler*>> named(const std::string& service, const std::string& version) const;
  Reply command(const v1::CommandHead& head, const std::string& verb, const std::string& service, const Change& change);
  void record(Event event, store::Transaction transaction, Keeper::Done done);
  void publish_replicas(const Scaler& scaler);
  void publish_drains(const std::string& service);        // where they are not what was published last
  std::vector<scale::Metric> service_metrics(const std::string& service);

  config::Config config_;
  std::set<std::string> explicit_keys_;                  // written in the configuration
  config::Places places_;
  daemon::ControlLoop& loop_;
  Keeper keeper_;
  std::uint64_t epoch_;
  Publisher publisher_;
  World world_;
  Facts facts_;
  std::map<Key, config::ScalePolicy> set_policies_;      // by the command line; they win
  std::map<Key, std::unique_ptr<Scaler>> scalers_;
  std::map<Key, std::string> no_target_;                 // why a version has no scaler
  MonoTime retry_targets_{};
  std::map<std::string, std::string> stored_;            // what was in the store at the start
  std::deque<Event> history_;
  std::map<std::string, v1::CommandReply> answered_;     // by request id
  std::deque<std::string> answered_order_;
  std::map<std::string, std::string> published_drains_;  // names by service
  std::uint64_t revision_ = 0, drains_revision_ = 0, sample_ = 0;
  std::unique_ptr<daemon::Timer> timer_, saver_;
};

inline constexpr std::size_t answers_max = 1000;
inline constexpr std::size_t versions_max = 1000;        // scaled at the same time

// A policy as text for the store, and back; the target is the configuration's.
std::string encode_policy(const v1::Policy& policy);
v1::Policy to_proto(const config::ScalePolicy& policy, Duration interval);
Result<config::ScalePolicy> merged(const v1::Policy& policy, const config::ScalePolicy* known);

}  // namespace nlb::tool
