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
#include "libnlb/daemon/descriptor.hpp"
#include "libnlb/daemon/loop.hpp"
#include "libnlb/relay/plan.hpp"
#include "libnlb/relay/worker.hpp"
#include "libnlb/route/roster.hpp"

namespace nlb::relay {

// A listening address with its sockets, from another process or for one (handover.hpp).
struct ListeningSockets {
  Endpoint address, bound;                    // as configured, and with the real port
  std::vector<daemon::Descriptor> sockets;    // one a worker, or one for all (unix)
};

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

struct ListenerStatus { std::string name, address; bool live = true; };

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
  std::uint64_t plan_in_force() const;     // the generation that every worker follows
  std::vector<Failure> take_failures();    // of all workers, since the last call

  // No new connections; `done` is called when the last session has ended. Sessions that last longer end at timeout + up to jitter.
  // Listeners whose configured address `elsewhere` names live on in another process that accepts from them.
  void drain(Duration timeout, std::function<void()> done, const std::vector<std::string>& elsewhere = {});

  // A takeover: duplicates of the sockets that listen; and, in a process that holds back, the start of accepting. A worker without a
  // socket of its own gets a new one, or shares the others' where none can be opened.
  std::vector<ListeningSockets> duplicate_listeners() const;
  void begin_accepting();
  CancelKeys& cancel_keys() { return shared_.cancel_keys; }
  std::vector<std::string> inherited_addresses() const;   // as the other process knows them

  const std::vector<std::unique_ptr<Worker>>& workers() const { return workers_; }
  const Plan& plan() const { return *plan_; }
  route::Roster& roster() { return roster_; }
  std::vector<ListenerStatus> listeners() const;
  std::uint64_t open_sessions() const;
  std::uint64_t reloads() const { return reloads_; }
  std::uint64_t reloads_refused() const { return reloads_refused_; }
  MonoTime started() const { return started_; }

 private:
  struct Listening {            // one address; its number is its index, for the life of the process
    Endpoint address;           // as configured
    Endpoint bound;             // with the real port
    config::Listener options;
    bool live = false;
    std::string inherited_from{};   // the address by which another process had these sockets; empty: opened here
    std::vector<int> sockets{};     // the workers own them; valid while live
  };
  Forwarder(const ForwarderOptions& options, daemon::ControlLoop& loop);
  std::vector<int> inherit(Listening& listening, Endpoint& where);
  Result<std::vector<int>> open_sockets(Endpoint& where, int backlog);
  void deal(std::size_t number);
  void open_missing(Listening& listening);
  Result<std::shared_ptr<const Plan>> build_plan();
  std::uint16_t service_number(const std::string& name);
  void publish();
  void collect();
  Result<> swap(const config::Config& config);
  void watch_drain(std::function<void()> done);

  ForwarderOptions options_;
  daemon::ControlLoop& loop_;
  Shared shared_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<std::thread> threads_;
  route::Roster roster_;
  config::Config config_;
  Remote remote_;
  std::vector<Listening> listening_;
  std::map<std::string, std::uint16_t> service_numbers_;
  std::vector<std::string> service_names_;
  std::shared_ptr<const Plan> plan_;
  std::vector<ListeningSockets> inherited_;   // not taken yet; only while starting
  bool holding_;
  std::uint64_t generation_ = 0, reloads_ = 0, reloads_refused_ = 0;
  MonoTime started_;
  MonoTime failures_taken_{};
  std::unique_ptr<daemon::Timer> drain_timer_, collect_timer_;
};

}  // namespace nlb::relay
