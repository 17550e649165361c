// What exists only while this process leads: the store, the controller, the bus, the feeds and the verbs' server, in the order in which
// they depend on each other.
#pragma once

#include <memory>
#include <optional>

#include "libnlb/bus/bus.hpp"
#include "libnlb/cli/config_file.hpp"
#include "libnlb/daemon/loop.hpp"
#include "libnlb/store/file_lock.hpp"
#include "tools/nlb-scale/controller.hpp"
#include "tools/nlb-scale/feeds.hpp"
#include "tools/nlb-scale/service.hpp"

namespace nlb::tool {

class Leader {
 public:
  // Embedded store. not_found in place of a leader: another process has it; the text names it. Other errors are final.
  static Result<std::unique_ptr<Leader>> try_start(const cli::ConfigFile& file, daemon::ControlLoop& loop, bool lines_on_stdin);
  // Shared store: who was elected there; every write carries the fence, whose revision is the owner's epoch.
  static Result<std::unique_ptr<Leader>> start_elected(const cli::ConfigFile& file, daemon::ControlLoop& loop, bool lines_on_stdin,
                                                       std::shared_ptr<store::Store> store, store::Condition fence);
  ~Leader();
  std::string status_json() const;
  std::string metrics_text() const;
  Result<> reload(const cli::ConfigFile& file);

 private:
  explicit Leader(daemon::ControlLoop& loop) : loop_(loop) {}
  Result<> start(const cli::ConfigFile& file, bool lines_on_stdin, std::optional<store::Condition> fence, std::uint64_t epoch);
  Result<> start_bus(const cli::ConfigFile& file, std::uint64_t epoch);
  void start_exporters(const config::Config& config);

  daemon::ControlLoop& loop_;
  std::optional<store::FileLock> lock_;
  std::shared_ptr<store::Store> store_;
  std::unique_ptr<Controller> controller_;
  std::unique_ptr<bus::Bus> bus_;
  std::unique_ptr<Exporters> exporters_;
  std::unique_ptr<LinesIn> lines_;
  std::unique_ptr<ScaleServer> server_;
  std::shared_ptr<Leader*> self_ = std::make_shared<Leader*>(this);   // null once we are gone: late answers are dropped
};

}  // namespace nlb::tool
