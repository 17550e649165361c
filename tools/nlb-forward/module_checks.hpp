// Active checks of the configuration's own modules, of those that ask for them (modules[].check): `fall` bad answers in a row, and a module
// gets no new sessions; `rise` good ones, and it does again. A module begins as healthy. Those that the bus names are their registry's to
// check. Belongs to the control thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "libnlb/check/checker.hpp"
#include "libnlb/daemon/loop.hpp"
#include "libnlb/relay/forwarder.hpp"
#include "libnlb/rpc/module_pool.hpp"

namespace nlb::forward {

class ModuleChecks {
 public:
  ModuleChecks(relay::Forwarder& engine, daemon::ControlLoop& loop);

  // Call when the configuration has changed: new modules are asked from now on, those that went no more; who is asked the same question at
  // the same place keeps its health.
  void follow();

 private:
  struct Watched {
    registry::Module module;             // its state: what is told to the engine
    registry::HealthFacts health;
  };
  void answer(const std::string& id, const registry::CheckAnswer& given);
  void forget(const std::string& id);
  void apply();

  relay::Forwarder& engine_;
  daemon::ControlLoop& loop_;
  std::map<std::string, Watched> watched_;   // by module id
  relay::Checked told_;
  std::unique_ptr<daemon::Timer> apply_timer_;
  rpc::ModulePool pool_;                 // of gRPC checks
  check::Checker checker_;
};

}  // namespace nlb::forward
