#include "tools/nlb-forward/takeover.hpp"

#include <fcntl.h>
#include <sys/socket.h>

#include <cstdlib>
#include <set>

#include <nlohmann/json.hpp>

#include "libnlb/cli/config_file.hpp"
#include "libnlb/daemon/log.hpp"
#include "libnlb/metrics/exposition.hpp"

namespace nlb::forward {
namespace {

namespace log = daemon::log;
using daemon::handover::Socket;
using daemon::handover::Use;

std::uint64_t identity_of(const daemon::Descriptor& socket) {
  std::uint64_t cookie = 0;
  socklen_t length = sizeof cookie;
  getsockopt(socket.get(), SOL_SOCKET, SO_COOKIE, &cookie, &length);
  return cookie;
}

Result<std::optional<daemon::Channel>> reach(const TakeoverOptions& options) {
  if (options.descriptor >= 0) {
    fcntl(options.descriptor, F_SETFD, FD_CLOEXEC);
    return daemon::Channel(daemon::Descriptor(options.descriptor));
  }
  if (!options.wanted) return std::nullopt;
  auto channel = daemon::Channel::connect(takeover_endpoint());
  if (channel) return std::move(*channel);
  if (channel.error().kind == ErrorKind::refused) return tl::unexpected(channel.error());
  return std::nullopt;   // nobody runs
}

}  // namespace

void add_takeover_options(CLI::App& app, TakeoverOptions& options) {
  app.add_flag("--takeover", options.wanted,
               "take the listening sockets of the nlb-forward that runs with this runtime directory, which then drains; without one start as usual");
  app.add_option("--old-generations", options.old_generations_max, "how many processes that were taken over may still drain before a takeover is refused")
      ->check(CLI::Range(std::size_t{1}, std::size_t{256}))
      ->capture_default_str()
      ->option_text("N");
  app.add_option("--takeover-fd", options.descriptor, "")->group("");   // hidden: how a process starts its successor, and a parent its children
}

std::string takeover_endpoint() { return cli::places_of("forward").runtime + "/forward.takeover"; }

Result<Inheritance> inherit(const TakeoverOptions& options) {
  Inheritance all;
  auto channel = reach(options);
  if (!channel) return tl::unexpected(channel.error());
  if (!*channel) return all;
  auto heir = daemon::handover::Heir::begin(std::move(**channel));
  if (!heir) return fail(heir.error().kind, "can't take over: " + heir.error().text);
  all.heir.emplace(std::move(*heir));
  std::vector<Socket> traffic;
  for (auto& socket : all.heir->take_sockets()) switch (socket.use) {
      case Use::traffic: traffic.push_back(std::move(socket)); break;
      case Use::admin: all.admin = std::move(socket); break;
      case Use::endpoint: all.endpoint = std::move(socket); break;
      case Use::elder: all.elders.push_back({std::atoi(socket.address.c_str()), daemon::Channel(std::move(socket.descriptor))}); break;
      case Use::notes: break;
    }
  all.traffic = traffic_of(std::move(traffic));
  return all;
}

int Inheritance::take_admin(const Endpoint& address) {
  if (!admin.descriptor || (admin.address != to_string(address) && admin.bound != to_string(address))) return -1;
  admin_taken = true;
  return admin.descriptor.release();
}

Result<> Inheritance::check_awaited() const {
  if (!heir || heir->is_awaited()) return {};
  return fail(ErrorKind::refused, "can't take over: the old process has given this one up, see its log");
}

void Inheritance::finish(daemon::Giver& giver, std::vector<std::string> traffic_taken, bool stays_with_parent) {
  if (!heir) return;
  const bool endpoint_taken = static_cast<bool>(endpoint.descriptor);
  auto served = heir->serve({std::move(traffic_taken), admin_taken, endpoint_taken});
  // This process accepts already: whatever keeps the old one from answering, ending here would only lose what was accepted.
  if (served) notes = std::move(*served);
  else log::warning("the old process does not say that it drains: going on", {{"process", heir->predecessor()}, {"reason", served.error().text}});
  for (auto& elder : elders) giver.add_elder(elder.pid, std::move(elder.channel));
  if (stays_with_parent) giver.serve(heir->take_channel(), true);
  else giver.add_elder(heir->predecessor(), heir->take_channel());
  if (endpoint_taken) giver.adopt(std::move(endpoint.descriptor), endpoint.address);
  if (!stays_with_parent) log::info("taken over", {{"from", heir->predecessor()}, {"old_generations", giver.old_generations().size()}});
}

void add_sockets(std::vector<Socket>& out, std::vector<relay::ListeningSockets> listening) {
  for (auto& one : listening)
    for (auto& socket : one.sockets) out.push_back({Use::traffic, to_string(one.address), to_string(one.bound), std::move(socket)});
}

std::vector<relay::ListeningSockets> traffic_of(std::vector<Socket> sockets) {
  std::map<std::string, relay::ListeningSockets> by_address;
  std::set<std::uint64_t> seen;
  for (auto& socket : sockets) {
    const auto address = parse_endpoint(socket.address), bound = parse_endpoint(socket.bound);
    if (socket.use != Use::traffic || !address || !bound) continue;
    if (!seen.insert(identity_of(socket.descriptor)).second) continue;   // several processes had the same one
    auto& one = by_address[socket.address];
    one.address = *address;
    one.bound = *bound;
    one.sockets.push_back(std::move(socket.descriptor));
  }
  std::vector<relay::ListeningSockets> all;
  for (auto& [name, one] : by_address) all.push_back(std::move(one));
  return all;
}

void add_admin(std::vector<Socket>& out, int listener, const Endpoint& address) {
  if (listener < 0) return;
  out.push_back({Use::admin, to_string(address), to_string(address), daemon::Descriptor(fcntl(listener, F_DUPFD_CLOEXEC, 0))});
}

void open_endpoint(daemon::Giver& giver) {
  if (auto listening = giver.listen(takeover_endpoint()); !listening)
    log::warning("no endpoint for a takeover: --takeover can't reach this process, USR2 can", {{"reason", listening.error().text}});
}

Result<> succeed(daemon::Giver& giver, const daemon::OwnCommand& command, const daemon::Readiness& readiness, const cli::ConfigOptions& config) {
  if (config.file == "-") return fail(ErrorKind::refused, "the configuration came from standard input, which can't be read again: name a file");
  auto channel = command.start_successor(readiness.environment());
  if (!channel) return tl::unexpected(channel.error());
  giver.serve(std::move(*channel), false);
  return {};
}

std::string old_generations_json(const daemon::Giver& giver) {
  auto all = nlohmann::json::array();
  for (const auto& one : giver.old_generations()) all.push_back({{"pid", one.pid}, {"sessions", one.sessions}});
  return all.dump();
}

void add_takeover_metrics(metrics::Snapshot& out, const daemon::Giver& giver) {
  std::uint64_t sessions = 0;
  const auto old = giver.old_generations();
  for (const auto& one : old) sessions += one.sessions;
  out.add(metrics::old_generations, {}, std::uint64_t{old.size()});
  out.add(metrics::old_generation_sessions, {}, sessions);
  out.add(metrics::takeovers_failed, {"refused"}, giver.counters().refused);
  out.add(metrics::takeovers_failed, {"failed"}, giver.counters().failed);
}

}  // namespace nlb::forward
