// What takeovers (libnlb/daemon/handover.hpp) mean to nlb-forward: which sockets go from one process to the next, and in which order the
// things that only one process may hold change hands. Used by a process that carries traffic (serve.cpp) and by the parent of several
// (processes.cpp).
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "libnlb/cli/config_file.hpp"
#include "libnlb/daemon/giver.hpp"
#include "libnlb/daemon/handover.hpp"
#include "libnlb/daemon/readiness.hpp"
#include "libnlb/daemon/successor.hpp"
#include "libnlb/metrics/exposition.hpp"
#include "libnlb/relay/forwarder.hpp"

namespace nlb::forward {

struct TakeoverOptions {
  bool wanted = false;           // --takeover: from whoever listens at the endpoint
  int descriptor = -1;           // --takeover-fd: from whoever is at its other end
  std::size_t old_generations_max = 32;
};
void add_takeover_options(CLI::App& app, TakeoverOptions& options);

std::string takeover_endpoint();   // ${runtime}/forward.takeover

// What a predecessor left. Without one all is empty, and `heir` absent.
struct Inheritance {
  struct Elder { pid_t pid; daemon::Channel channel; };

  std::optional<daemon::handover::Heir> heir;
  std::vector<relay::ListeningSockets> traffic;
  daemon::handover::Socket admin, endpoint;
  std::vector<Elder> elders;

  // The admin socket if it is on `address`, else -1; the caller owns it.
  int take_admin(const Endpoint& address);
  // Whether the old process still waits; refused otherwise. Ask before accepting anything.
  Result<> check_awaited() const;
  // Says that this process accepts now, waits for the old one to drain, and sets `giver` up: endpoint, old generations.
  void finish(daemon::Giver& giver, std::vector<std::string> traffic_taken, bool stays_with_parent);
  bool admin_taken = false;
  std::vector<daemon::handover::Socket> notes;   // after finish()
};

// Nobody at the endpoint is no error (`--takeover` then starts as usual). Errors: refused (the reason comes from the old process),
// unavailable, timeout. Blocks for at most handover::answer_timeout.
Result<Inheritance> inherit(const TakeoverOptions& options);

// Sockets as the conversation carries them, and back.
void add_sockets(std::vector<daemon::handover::Socket>& out, std::vector<relay::ListeningSockets> listening);
std::vector<relay::ListeningSockets> traffic_of(std::vector<daemon::handover::Socket> sockets);
void add_admin(std::vector<daemon::handover::Socket>& out, int listener, const Endpoint& address);

// The endpoint for the next process; without one (the reason is logged) only USR2 can hand over.
void open_endpoint(daemon::Giver& giver);

// USR2: starts this program anew, which then takes over. Errors: refused, unavailable; the start itself fails later, and is logged.
Result<> succeed(daemon::Giver& giver, const daemon::OwnCommand& command, const daemon::Readiness& readiness, const cli::ConfigOptions& config);

// What /status and /metrics say of the processes that still drain.
std::string old_generations_json(const daemon::Giver& giver);
void add_takeover_metrics(metrics::Snapshot& out, const daemon::Giver& giver);

}  // namespace nlb::forward
