// The controller inside a command: for who has no `serve` running, and for reading the store while none runs.
#pragma once

#include <functional>
#include <memory>

#include "libnlb/cli/exit_code.hpp"
#include "libnlb/config/config.hpp"
#include "libnlb/core/result.hpp"
#include "libnlb/deploy/controller.hpp"

namespace nlb::deploy {

// Takes the state lock, is the controller as long as `work` runs (in another thread, through the controller's own address), and ends with
// its answer. unavailable: a controller runs already. Rollouts that haven't ended then wait in the store for the next controller.
Result<cli::ExitCode> in_foreground(const config::Config& config, const std::function<Result<cli::ExitCode>()>& work);

struct StoredState {
  std::unique_ptr<store::Store> store;
  std::unique_ptr<Controller> controller;
};
Result<StoredState> read_store(const config::Config& config);   // unavailable: a controller runs, or there is no store

}  // namespace nlb::deploy
