// The daemon's parts in the order in which they need each other: store, engine, gRPC, bus, and, on a store that several registries
// share, the election. All but the campaign's thread and gRPC's live on the loop.
#pragma once

#include <memory>
#include <optional>

#include "libnlb/bus/bus.hpp"
#include "libnlb/bus/state_dir.hpp"
#include "libnlb/rpc/server.hpp"
#include "libnlb/store/campaign.hpp"
#include "tools/nlb-registry/engine.hpp"

namespace nlb::registrar {

class Service {   // belongs to the loop's thread
 public:
  static Result<std::unique_ptr<Service>> start(const config::Config& config, daemon::ControlLoop& loop);
  ~Service();
  Result<> reload(const config::Config& config);      // limits, certificates, API keys, bus keys; an error leaves the old in force
  void stop();                                        // ends every call and stream, keeps what waits

  const Engine& engine() const { return *engine_; }
  const Keeper& keeper() const { return *keeper_; }
  const rpc::Server& server() const { return *server_; }
  const rpc::RegistryService& calls() const { return *calls_; }
  const bus::Bus* bus() const { return bus_.get(); }
  std::uint64_t reloads = 0, reloads_refused = 0;

 private:
  Service(const config::Config& config, daemon::ControlLoop& loop) : config_(config), loop_(loop) {}
  Result<> open();
  Result<> open_doors();
  Result<> lead_alone();
  void campaign();
  void on_leadership(const store::Leadership& leadership);
  void look_for_leader();
  void lead(std::uint64_t epoch, std::vector<registry::Stored> known);
  Result<> open_bus(std::uint64_t epoch);
  void publish(std::string topic, std::string payload);

  config::Config config_;
  daemon::ControlLoop& loop_;
  std::unique_ptr<Keeper> keeper_;
  std::unique_ptr<Engine> engine_;
  std::shared_ptr<rpc::ApiKeys> keys_ = std::make_shared<rpc::ApiKeys>();
  std::shared_ptr<rpc::Certificates> certificates_;
  std::unique_ptr<rpc::RegistryService> calls_;
  std::unique_ptr<rpc::Server> server_;
  std::uint64_t owner_id_ = 0;             // to the bus; of the store, so that all who share it are one owner
  std::unique_ptr<bus::Bus> bus_;
  std::unique_ptr<store::Campaign> campaign_;
  std::unique_ptr<daemon::Timer> leader_timer_, load_timer_;
  bool ending_ = false;
};

std::string status_json(const Service& service);
std::string metrics_text(const Service& service);

}  // namespace nlb::registrar
