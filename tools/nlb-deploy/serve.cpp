#include "tools/nlb-deploy/serve.hpp"

#include "libnlb/deploy/engine.hpp"

namespace nlb::deploy {
namespace {

constexpr std::uint16_t admin_port = 8084;

Result<cli::ExitCode> serve(const ServeOptions& options) {
  auto file = cli::load_config(options.config, "deploy");
  if (!file) return tl::unexpected(file.error());
  if (const auto answered = cli::answer_config(options.config, *file)) return *answered;
  auto started = daemon::Daemon::start({"nlb-deploy", options.daemon, admin_port}, file->config);
  if (!started) return tl::unexpected(started.error());
  if (started->parent) return *started->parent;
  daemon::Daemon& daemon = *started->daemon;

  const auto places = cli::places_of("deploy");
  auto engine = Engine::start(file->config, {places.state + "/deploy", places.runtime, {}}, daemon.loop());
  if (!engine) return tl::unexpected(engine.error());
  daemon.admin().route("/metrics", [&](const auto&) { return daemon::metrics_response((*engine)->metrics_text()); });
  daemon.admin().route("/status", [&](const auto&) { return daemon::json_response((*engine)->status_json()); });

  daemon::ServeHooks hooks;
  hooks.reload = [&]() -> Result<> {
    auto fresh = cli::reload_config(options.config, "deploy", file->config);
    if (!fresh) return tl::unexpected(fresh.error());
    return (*engine)->reload(fresh->config);
  };
  hooks.not_ready = [&] { return (*engine)->not_ready(); };
  hooks.stop = [&] { (*engine)->stop(); };
  return daemon.serve(hooks);
}

}  // namespace

void add_serve(CLI::App& app, std::function<Result<cli::ExitCode>()>& body) {
  auto* verb = app.add_subcommand("serve", "the controller: owns the splits, judges canaries, answers the other verbs");
  auto options = std::make_shared<ServeOptions>();
  cli::add_config_options(*verb, options->config);
  daemon::add_daemon_options(*verb, options->daemon);
  verb->callback([options, &body] { body = [options] { return serve(*options); }; });
}

}  // namespace nlb::deploy
