#include "tools/nlb-registry/serve.hpp"

#include "libnlb/daemon/log.hpp"
#include "tools/nlb-registry/service.hpp"

namespace nlb::registrar {
namespace {

constexpr std::uint16_t admin_port = 8083;

cli::ConfigOptions config_options(const ServeOptions& options) {
  auto config = options.config;
  if (options.insecure) config.set.push_back("security.insecure=true");
  return config;
}

}  // namespace

void add_serve_options(CLI::App& app, ServeOptions& options) {
  cli::add_config_options(app, options.config);
  daemon::add_daemon_options(app, options.daemon);
  app.add_flag("--insecure", options.insecure, "allow gRPC without TLS beyond loopback, and tcp:// on the bus without keys");
}

Result<cli::ExitCode> serve(const ServeOptions& options) {
  const auto config_of = config_options(options);
  auto file = cli::load_config(config_of, "registry");
  if (!file) return tl::unexpected(file.error());
  if (const auto answered = cli::answer_config(config_of, *file)) return *answered;

  auto started = daemon::Daemon::start({"nlb-registry", options.daemon, admin_port}, file->config);
  if (!started) return tl::unexpected(started.error());
  if (started->parent) return *started->parent;
  daemon::Daemon& daemon = *started->daemon;

  auto service = Service::start(file->config, daemon.loop());
  if (!service) return tl::unexpected(service.error());
  daemon.admin().route("/metrics", [&](const auto&) { return daemon::metrics_response(metrics_text(**service)); });
  daemon.admin().route("/status", [&](const auto&) { return daemon::json_response(status_json(**service)); });

  daemon::ServeHooks hooks;
  hooks.reload = [&]() -> Result<> {
    auto fresh = cli::reload_config(config_of, "registry", file->config);
    if (!fresh) return tl::unexpected(fresh.error());
    return (*service)->reload(fresh->config);
  };
  hooks.stop = [&] { (*service)->stop(); };
  hooks.not_ready = [&]() -> std::string {
    const auto& engine = (*service)->engine();
    if (engine.leading()) return {};
    return engine.leader().empty() ? "no registry leads" : "follows " + engine.leader();
  };
  return daemon.serve(hooks);
}

}  // namespace nlb::registrar
