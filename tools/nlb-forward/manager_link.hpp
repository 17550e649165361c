// What nlb-forward tells an outer manager: who it is, the version of its configuration, and its load. There only where manager.url is set.
#pragma once

#include <memory>
#include <string>

#include "libnlb/cli/config_file.hpp"
#include "libnlb/daemon/loop.hpp"
#include "libnlb/manager/link.hpp"
#include "libnlb/metrics/exposition.hpp"
#include "libnlb/relay/forwarder.hpp"

namespace nlb::forward {

// The configuration in force, with what came from flags and environment, in 16 hexadecimal digits.
std::string config_version(const cli::ConfigFile& file);

class ManagerLink {   // belongs to the control thread
 public:
  // Without manager.url: a link that does nothing. `instance` tells the processes of --processes apart; empty: there is one.
  static Result<ManagerLink> start(const cli::ConfigFile& file, const std::string& instance, relay::Forwarder& engine, daemon::ControlLoop& loop);
  void reloaded(const cli::ConfigFile& file);
  std::string status_json() const;                  // an object; null without a manager
  void add_metrics(metrics::Snapshot& out) const;
  void end() { link_.reset(); }

 private:
  std::unique_ptr<manager::Link> link_;
};

}  // namespace nlb::forward
