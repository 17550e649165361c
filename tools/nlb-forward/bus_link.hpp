// The forwarder's end of the bus: follows modules and splits, publishes traffic and what it applied, keeps its copy on disk.
// Nobody there is no error: what was last known holds, and its age is shown. Belongs to the control thread.
#pragma once

#include <memory>
#include <string>

#include "libnlb/bus/bus.hpp"
#include "libnlb/bus/state_dir.hpp"
#include "libnlb/config/expand.hpp"
#include "libnlb/core/hash.hpp"
#include "libnlb/metrics/exposition.hpp"
#include "tools/nlb-forward/facts.hpp"
#include "tools/nlb-forward/publisher.hpp"
#include "tools/nlb-forward/quarantine.hpp"

namespace nlb::forward {

class BusLink {
 public:
  // Applies the copy on disk to `engine` before it returns, so that READY means the last known modules are routed to. A directory that
  // another nlb-forward holds, or that can't be written, costs the publishing half and is logged; it is no error.
  // `accept_epoch`: an operator's word that an owner's next snapshot is right although its epoch is smaller than the one known.
  static Result<std::unique_ptr<BusLink>> start(const config::Config& config, const config::Places& places, bool accept_epoch,
                                                relay::Forwarder& engine, daemon::ControlLoop& loop);
  ~BusLink();

  Result<> reload_keys() { return bus_->reload_keys(); }   // an error leaves the old keys in force
  std::string status_json() const;                  // an object
  void add_metrics(metrics::Snapshot& out) const;

 private:
  BusLink(relay::Forwarder& engine, daemon::ControlLoop& loop, std::string directory);
  Result<> open(const config::Config& config, const config::Places& places, bool accept_epoch);
  Result<> own(const config::Config& config, const config::Places& places, bus::Options& options);
  void take(const bus::PeerChange& change);         // on the loop
  void apply_soon();
  void every_second();
  void warn();
  std::vector<std::uint64_t> epochs() const;        // of the owners, as they are known now
  void save();

  relay::Forwarder& engine_;
  daemon::ControlLoop& loop_;
  std::string directory_;
  std::unique_ptr<bus::DirectoryLock> lock_;
  Facts facts_;
  std::unique_ptr<Publisher> publisher_;            // absent: nothing is published
  std::unique_ptr<bus::Bus> bus_;
  std::unique_ptr<Quarantine> quarantine_;
  std::unique_ptr<daemon::Timer> apply_timer_, second_timer_, save_timer_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  bool dirty_ = false, split_dirty_ = false;        // the copy on disk is older than the one in memory; its splits are
  std::vector<std::uint64_t> saved_epochs_;
  std::uint64_t refused_ = 0, warned_epochs_ = 0;
};

}  // namespace nlb::forward
