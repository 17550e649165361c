// The running controller: lock, store, election, bus, controller and gRPC, on one control loop. `nlb-deploy serve` is this plus a daemon's
// skeleton; `--foreground` is this plus the command that waits for its rollout.
//
// With the embedded store it leads from the start, under an epoch from the state directory. With etcd it leads while it holds the key,
// under the election's token; it owns its bus topics only while it leads, so what a deposed copy says is refused twice: by the store,
// and by every reader of the bus, because its epoch is the smaller one.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "libnlb/bus/bus.hpp"
#include "libnlb/bus/state_dir.hpp"
#include "libnlb/config/config.hpp"
#include "libnlb/daemon/loop.hpp"
#include "libnlb/deploy/service.hpp"
#include "libnlb/rpc/server.hpp"
#include "libnlb/store/election.hpp"

namespace nlb::deploy {

struct EngineOptions {
  std::string state_directory;          // for the lock and the epoch
  std::string runtime_directory;        // where the well-known bus names are
  std::string name;                     // of this copy, for people and the election; empty: the machine's
};

class Engine {
 public:
  // unavailable: another controller has the state directory, the store or an address. `loop` runs later, on the calling thread.
  static Result<std::unique_ptr<Engine>> start(config::Config config, EngineOptions options, daemon::ControlLoop& loop);
  ~Engine();
  void stop();                          // saves what the judges know, says goodbye to watchers; then the loop may end

  bool leads() const { return controller_ != nullptr; }
  std::string leader() const;           // any thread
  std::string metrics_text() const;     // this and the rest: the loop's thread
  std::string status_json() const;
  Controller* controller() { return controller_.get(); }
  Pulse& pulse() { return pulse_; }
  Result<> reload(const config::Config& config);   // judge and keep_warm, for rollouts that start later; certificates and keys
  std::string not_ready() const;        // empty: ready

 private:
  Engine(config::Config config, EngineOptions options, daemon::ControlLoop& loop);
  Result<> open();
  Result<> lead(std::uint64_t epoch, std::optional<store::Condition> fence);
  void depose(const std::string& why);
  void campaign();
  void tick();
  Result<> start_bus(std::uint64_t epoch);
  Result<> start_servers();
  Settings settings(std::uint64_t epoch, std::optional<store::Condition> fence) const;

  config::Config config_;
  EngineOptions options_;
  daemon::ControlLoop& loop_;
  std::optional<bus::DirectoryLock> lock_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<store::Election> election_;
  std::unique_ptr<Controller> controller_;
  std::unique_ptr<bus::Bus> bus_;
  Pulse pulse_;
  std::shared_ptr<rpc::ApiKeys> keys_;
  std::shared_ptr<rpc::Certificates> certificates_;
  std::vector<std::unique_ptr<Service>> services_;   // one per address: strangers show a certificate, the machine's own don't
  std::vector<std::unique_ptr<rpc::Server>> servers_;
  std::unique_ptr<daemon::Timer> ticker_, campaigner_;
  mutable std::mutex mutex_;            // guards leader_
  std::string leader_;
  std::string trouble_;                 // why nothing moves
  std::uint64_t events_ = 0;
};

// "unix:/run/nlb/deploy.sock,10.0.0.1:50052": several addresses, separated by commas.
Result<std::vector<Endpoint>> parse_addresses(const std::string& text);

}  // namespace nlb::deploy
