// The main skeleton of all daemons: background and pid file, log, descriptor limit, control loop, signals, readiness, admin server.
// A tool starts it, wires its own work to it, and calls serve(), which returns when everything is over:
//
//   auto started = Daemon::start({.tool = "nlb-forward", .options = options, .admin_default_port = 8082}, config);
//   if (!started) return tl::unexpected(started.error());
//   if (started->parent) return *started->parent;              // --daemon: the child is ready, or has said why not
//   Daemon& daemon = *started->daemon;
//   auto engine = Engine::start(config, daemon.loop());        // binds its ports; an error here is the program's exit code
//   daemon.admin().route("/metrics", [&](const AdminRequest&) { return metrics_response(engine.metrics()); });
//   daemon.admin().route("/status", [&](const AdminRequest&) { return json_response(engine.status()); });
//   return daemon.serve({.reload = [&] { return engine.reload(); },
//                        .drain = [&](MonoTime deadline) { engine.drain(deadline, [&] { daemon.finish(); }); }});
//
// TERM: `drain` is called with its deadline and serve() returns after finish(), at the deadline or at a second TERM. /healthz says
// alive, /readyz 200 or 503 with the reason.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "libnlb/cli/exit_code.hpp"
#include "libnlb/config/config.hpp"
#include "libnlb/core/result.hpp"
#include "libnlb/daemon/admin.hpp"
#include "libnlb/daemon/loop.hpp"
#include "libnlb/daemon/readiness.hpp"

namespace CLI { class App; }

namespace nlb::daemon {

struct DaemonOptions {   // from the command line
  int ready_fd = -1;
  bool background = false;
  std::string pid_file;
};
void add_daemon_options(CLI::App& app, DaemonOptions& options);   // --ready-fd, --daemon, --pid-file
Endpoint admin_endpoint(const config::Admin& admin, std::uint16_t default_port);   // what is configured, or 127.0.0.1

struct DaemonSettings {
  std::string tool;
  DaemonOptions options;
  std::uint16_t admin_default_port = 0;   // on 127.0.0.1, where the configuration names no admin.address
  bool takes_over = false;                // another process has the pid file and the admin address still: see claim_pid_file()
  int admin_listener = -1;                // its admin socket, if it is on the same address; taken over
};

struct ServeHooks {   // all on the loop's thread; each may be absent
  std::function<Result<>()> reload{};                // HUP: an error means the old configuration stays, and is logged
  std::function<void(MonoTime deadline)> drain{};    // TERM: stop accepting; call finish() when the last session has ended
  std::function<void()> stop{};                      // last call: end what is left, now
  std::function<void()> reopen_logs{};               // USR1, and before each reload
  std::function<Result<>()> take_over{};             // the last step before READY: an error ends serve() with it
  std::function<Result<>()> succeed{};               // USR2: start a successor, with the environment it needs
  std::function<std::string()> not_ready{};          // why /readyz should say 503; empty: ready
  Duration drain_timeout = std::chrono::seconds(30);
  std::string ready_status = "ready";              // for `systemctl status`
};

class Daemon {
 public:
  struct Started { std::unique_ptr<Daemon> daemon; std::optional<cli::ExitCode> parent; };   // exactly one
  // Goes to the background first when asked to, so call it before any thread exists.
  static Result<Started> start(DaemonSettings settings, const config::Config& config);
  ~Daemon();

  ControlLoop& loop();
  AdminServer& admin();
  const Endpoint& admin_address() const;    // the real one
  std::uint64_t descriptor_limit() const;
  Readiness& readiness();

  // A takeover (handover.hpp). The new process: claim_pid_file() once the old one has let go. The old one: let_go(), and take_back() when
  // its heir has failed, or handed_over(), after which it drains and tells the service manager who speaks from now on.
  Result<> claim_pid_file();
  void let_go();
  Result<> take_back();        // conflict, as long as the heir has not quite ended: try again
  void handed_over(int heir, bool admin_too);

  // Drops privileges (security.run_as), says READY, and runs the loop. Blocks until the end; done, or what fatal() was told.
  Result<cli::ExitCode> serve(ServeHooks hooks);
  void finish();               // any thread: draining is complete
  void fatal(Error error);     // any thread: serve() stops everything and returns it

 private:
  struct Impl;
  explicit Daemon(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace nlb::daemon
