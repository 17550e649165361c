// The data plane as a whole: workers, listeners, and the plan that all workers follow. Everything here belongs to the control thread;
// it reaches workers only by posting to them, and reads their counters relaxed.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "libnlb/config/config.hpp"
#include "libnlb/core/result.hpp"
#include "libnlb/daemon/access_log.hpp"
#include "libnlb/daemon/loop.hpp"
#include "libnlb/relay/listeners.hpp"
#include "libnlb/relay/plan.hpp"
#include "libnlb/relay/worker.hpp"
#include "libnlb/route/roster.hpp"

namespace nlb::relay {

struct ForwarderOptions {
  std::size_t workers = 0;      // 0: one per CPU that this process may use
  daemon::AccessLog* access_log = nullptr;
  std::size_t process = 0, processes = 1;   // of several on the same ports: limits and CPUs are shared out
  bool hold = false;                        // accept nothing before begin_accepting()
};

// What the registry and the deployer say, beside the configuration.
struct Remote {
  std::vector<registry::Module> modules;
  std::vector<route::Split> splits;
  std::vector<VersionEnd> version_ends;
  std::vector<std::pair<std::string, std::string>> ejected;   // service and module: gets no new sessions, wherever its record comes from
};

using Checked = std::map<std::string, registry::ModuleState>;   // by module id: what checks say of the configuration's own modules

class Forwarder {
 public:
  // Binds every listener and starts the workers. Errors: unavailable (a port, a name), config (routes, limits).
  // `inherited` sockets take the place of new ones where an address is the same; those that no address wants are closed.
  static Result<std::unique_ptr<Forwarder>> start(const config::Config& config, const ForwarderOptions& options, daemon::ControlLoop& loop,
                                                  std::vector<ListeningSockets> inherited = {});
  ~Forwarder();                 // stops at once what drain() has not ended

  // Swaps to the new configuration, or keeps the old one whole and says why. No session is dropped.
  Result<> reload(const config::Config& config);
  Result<> set_remote(Remote remote);
  std::vector<registry::Module> own_modules() const;   // the configuration's, their addresses resolved
  Result<> set_checked(Checked checked);               // who isn't named is healthy
  std::uint64_t plan_in_force() const;     // the generation that every worker follows
  std::vector<Failure> take_failures();    // of all workers, since the last call

  // No new connections; `done` is called when the last session has ended. Sessions that last longer end at timeout + up to jitter.
  // Listeners whose configured address `elsewhere` names live on in another process that accepts from them.
  void drain(Duration timeout, std::function<void()> done, const std::vector<std::string>& elsewhere = {});

  Listeners& listeners() { return listeners_; }
  const Listeners& listeners() const { return listeners_; }
  CancelKeys& cancel_keys() { return shared_.cancel_keys; }
  const std::vector<std::unique_ptr<Worker>>& workers() const { return workers_; }
  const Plan& plan() const { return *plan_; }
  route::Roster& roster() { return roster_; }
  std::uint64_t open_sessions() const;
  void count_reload(bool done) { ++(done ? reloads_ : reloads_refused_); }   // by who reads the configuration: it may be refused before we see it
  std::uint64_t reloads() const { return reloads_; }
  std::uint64_t reloads_refused() const { return reloads_refused_; }
  MonoTime started() const { return started_; }

 private:
  Forwarder(const ForwarderOptions& options, daemon::ControlLoop& loop);
  Result<std::shared_ptr<const Plan>> build_plan();
  template <class Word>
  Result<> replace(Word& word, Word fresh);            // and follow it; an error leaves the old one in force
  std::uint16_t service_number(const std::string& name);
  void publish();
  void collect();
  Result<> swap(const config::Config& config, std::vector<ListeningSockets> inherited);
  void watch_drain(std::function<void()> done);

  ForwarderOptions options_;
  daemon::ControlLoop& loop_;
  Shared shared_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<std::thread> threads_;
  route::Roster roster_;
  config::Config config_;
  Remote remote_;
  Checked checked_;
  Listeners listeners_;
  std::map<std::string, std::uint16_t> service_numbers_;
  std::vector<std::string> service_names_;
  std::shared_ptr<const Plan> plan_;
  std::uint64_t generation_ = 0, reloads_ = 0, reloads_refused_ = 0;
  MonoTime started_;
  MonoTime failures_taken_{};
  std::unique_ptr<daemon::Timer> drain_timer_, collect_timer_;
};

}  // namespace nlb::relay
