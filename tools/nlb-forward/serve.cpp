#include "tools/nlb-forward/serve.hpp"

#include <algorithm>
#include <cstdio>
#include <iostream>

#include "libnlb/daemon/access_log.hpp"
#include "libnlb/daemon/log.hpp"
#include "libnlb/relay/forwarder.hpp"
#include "libnlb/relay/observe.hpp"
#include "tools/nlb-forward/bus_link.hpp"
#include "tools/nlb-forward/manager_link.hpp"
#include "tools/nlb-forward/processes.hpp"

namespace nlb::forward {
namespace {

constexpr std::uint16_t admin_port = 8082;

Result<> has_listener(const cli::ConfigFile& file) {
  if (!file.config.listen.empty()) return {};
  const auto where = file.path.empty() ? std::string("no configuration was found") : file.path + " names no address under listen";
  return fail(ErrorKind::config, where + ": nothing to do: name one, for example listen: [{address: 127.0.0.1:8080}]");
}

Result<ProcessShare> parse_share(const std::string& text) {
  ProcessShare share;
  if (text.empty()) return share;
  if (std::sscanf(text.c_str(), "%zu/%zu", &share.index, &share.count) != 2 || share.index >= share.count)
    return fail(ErrorKind::usage, "--process is set by the parent of --processes: leave it out");
  return share;
}

// How long TERM waits: the longest of the services.
Duration drain_timeout(const config::Config& config) {
  Duration longest = config::Service{}.drain_timeout;
  for (const auto& [name, service] : config.services) longest = std::max(longest, service.drain_timeout);
  return longest;
}

}  // namespace

void add_serve_options(CLI::App& app, ServeOptions& options) {
  cli::add_config_options(app, options.config);
  daemon::add_daemon_options(app, options.daemon);
  app.add_option("--workers", options.workers, "worker threads (default: one per CPU that this process may use)")
      ->check(CLI::Range(std::size_t{1}, std::size_t{256}))
      ->option_text("N");
  app.add_option("--processes", options.processes, "processes on the same ports under one parent, where a process may not have enough descriptors")
      ->check(CLI::Range(std::size_t{1}, processes_max))
      ->option_text("N");
  app.add_option("--process", options.share, "")->group("");   // hidden: how the parent tells a child which it is
}

Result<cli::ExitCode> serve(const ServeOptions& options) {
  const auto share = parse_share(options.share);
  if (!share) return tl::unexpected(share.error());
  auto file = cli::load_config(options.config, share->tool());
  if (!file) return tl::unexpected(file.error());
  if (const auto answered = cli::answer_config(options.config, *file)) return *answered;
  if (auto listening = has_listener(*file); !listening) return tl::unexpected(listening.error());
  const auto timeout = drain_timeout(file->config);
  if (options.processes > 1) return supervise({options.config, options.daemon, options.workers, options.processes}, *file, admin_port, timeout);

  auto started = daemon::Daemon::start({"nlb-forward", options.daemon, admin_port}, file->config);
  if (!started) return tl::unexpected(started.error());
  if (started->parent) return *started->parent;
  daemon::Daemon& daemon = *started->daemon;

  std::unique_ptr<daemon::AccessLog> access_log;
  if (const auto& path = file->config.log.access.file; !path.empty()) {
    auto opened = daemon::AccessLog::open(path);
    if (!opened) return tl::unexpected(opened.error());
    access_log = std::move(*opened);
  }
  auto forwarder = relay::Forwarder::start(file->config, {options.workers, access_log.get(), share->index, share->count}, daemon.loop());
  if (!forwarder) return tl::unexpected(forwarder.error());
  relay::Forwarder& engine = **forwarder;
  for (const auto& l : engine.listeners()) daemon::log::info("listening", {{"listener", l.name}, {"address", l.address}});

  auto link = BusLink::start(file->config, cli::places_of(share->tool()), engine, daemon.loop());
  if (!link) return tl::unexpected(link.error());
  const BusLink& bus = **link;
  const auto instance = share->count > 1 ? std::to_string(share->index + 1) : std::string();
  auto manager = ManagerLink::start(*file, instance, engine, daemon.loop());
  if (!manager) return tl::unexpected(manager.error());

  daemon.admin().route("/metrics", [&](const auto&) {
    metrics::Snapshot snapshot;
    relay::add_metrics(snapshot, engine, access_log.get());
    bus.add_metrics(snapshot);
    manager->add_metrics(snapshot);
    return daemon::metrics_response(metrics::exposition(snapshot));
  });
  daemon.admin().route("/status", [&](const auto&) { return daemon::json_response(relay::status_json(engine, bus.status_json(), manager->status_json())); });

  daemon::ServeHooks hooks;
  hooks.reload = [&]() -> Result<> {
    auto fresh = cli::load_config(options.config, share->tool());
    if (!fresh) return tl::unexpected(fresh.error());
    if (auto listening = has_listener(*fresh); !listening) return listening;
    auto reloaded = engine.reload(fresh->config);
    if (reloaded) manager->reloaded(*fresh);
    return reloaded;
  };
  hooks.drain_timeout = timeout + 1s;   // sessions end by their own deadline first
  hooks.drain = [&](MonoTime) { engine.drain(timeout, [&] { daemon.finish(); }); };
  hooks.stop = [&] {
    manager->end();
    link->reset();
    forwarder->reset();
  };
  hooks.reopen_logs = [&] {
    if (access_log) access_log->reopen();
  };
  return daemon.serve(hooks);
}

Result<cli::ExitCode> check(const cli::ConfigOptions& options, bool system) {
  auto file = cli::load_config(options, "forward");
  if (!file) return tl::unexpected(file.error());
  if (auto listening = has_listener(*file); !listening) return tl::unexpected(listening.error());
  std::cerr << (file->path.empty() ? "the defaults" : file->path) << ": no problems\n";
  if (system) std::cout << relay::system_advice(file->config);
  return cli::ExitCode::done;
}

}  // namespace nlb::forward
