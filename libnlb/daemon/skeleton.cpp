#include "libnlb/daemon/skeleton.hpp"

#include <utility>

#include <CLI/CLI.hpp>

#include "libnlb/daemon/daemonize.hpp"
#include "libnlb/daemon/log.hpp"
#include "libnlb/daemon/signals.hpp"

namespace nlb::daemon {
namespace {

enum class Phase { starting, serving, draining };

Endpoint admin_endpoint(const config::Admin& admin, std::uint16_t default_port) {
  if (admin.address) return *admin.address;
  return {Endpoint::Kind::ip, default_port, IpAddress::v4(0x7f000001), {}};
}

MonoTime now() { return std::chrono::steady_clock::now(); }

}  // namespace

void add_daemon_options(CLI::App& app, DaemonOptions& options) {
  app.add_option("--ready-fd", options.ready_fd, "write \"ready\" to this descriptor once all is up, then close it")->option_text("N");
  app.add_flag("--daemon", options.background, "go to the background once ready (not needed under systemd)");
  app.add_option("--pid-file", options.pid_file, "write the process id here; a second process with the same file is refused")
      ->option_text("FILE");
}

struct Daemon::Impl {
  Impl(const DaemonSettings& wanted, const config::Config& config)
      : run_as_user(config.security.run_as), readiness(Readiness::from_environment(wanted.options.ready_fd)) {}

  AdminResponse readyz() const {
    if (phase == Phase::starting) return {503, "text/plain; charset=utf-8", "starting\n"};
    if (phase == Phase::draining) return {503, "text/plain; charset=utf-8", "draining\n"};
    const auto reason = hooks.not_ready ? hooks.not_ready() : std::string();
    if (!reason.empty()) return {503, "text/plain; charset=utf-8", reason + "\n"};
    return {200, "text/plain; charset=utf-8", "ready\n"};
  }

  void drain() {
    log::info("draining", {{"timeout_seconds", to_seconds(hooks.drain_timeout)}});
    phase = Phase::draining;
    readiness.stopping();
    if (!hooks.drain) return loop.stop();
    deadline = loop.after(hooks.drain_timeout, [this] {
      log::warning("the drain timeout is over: what is left is closed");
      loop.stop();
    });
    hooks.drain(now() + hooks.drain_timeout);
  }

  void stop_now() {
    log::warning("asked to end a second time: what is left is closed");
    loop.stop();
  }

  void reopen_logs() {
    if (hooks.reopen_logs) hooks.reopen_logs();
  }

  void reload() {
    if (phase != Phase::serving) return;
    reopen_logs();
    readiness.reloading(now());
    const auto done = hooks.reload ? hooks.reload() : Result<>{};
    if (done) log::info("reloaded");
    else log::error("reload refused: the old configuration stays", {{"reason", done.error().text}});
    readiness.ready(done ? hooks.ready_status : "reload refused, the old configuration stays: " + done.error().text);
  }

  std::string run_as_user;
  std::optional<Background> background;
  std::optional<PidFile> pid_file;
  ControlLoop loop;
  Readiness readiness;
  AdminServer admin{loop};
  Endpoint admin_address;
  std::uint64_t descriptors = 0;
  ServeHooks hooks;
  Phase phase = Phase::starting;
  std::unique_ptr<Timer> deadline, watchdog;
  std::optional<Error> fatal;
  std::optional<Signals> signals;
};

Result<Daemon::Started> Daemon::start(DaemonSettings settings, const config::Config& config) {
  std::optional<Background> background;
  if (settings.options.background) {
    auto forked = go_to_background();
    if (!forked) return tl::unexpected(forked.error());
    if (const auto* parent = std::get_if<ParentDone>(&*forked)) return Started{nullptr, static_cast<cli::ExitCode>(parent->exit_code)};
    background.emplace(std::move(std::get<Background>(*forked)));
  }
  if (const auto logging = log::set_up(settings.tool, config.log); !logging) return tl::unexpected(logging.error());
  auto impl = std::make_unique<Impl>(settings, config);
  if (background) impl->background.emplace(std::move(*background));
  if (!settings.options.pid_file.empty()) {
    auto file = PidFile::create(settings.options.pid_file);
    if (!file) return tl::unexpected(file.error());
    impl->pid_file.emplace(std::move(*file));
  }
  impl->descriptors = raise_descriptor_limit();
  impl->admin.route("/healthz", [](const AdminRequest&) { return AdminResponse{200, "text/plain; charset=utf-8", "alive\n"}; });
  impl->admin.route("/readyz", [state = impl.get()](const AdminRequest&) { return state->readyz(); });
  const auto bound = impl->admin.listen(admin_endpoint(config.admin, settings.admin_default_port));
  if (!bound) return tl::unexpected(bound.error());
  impl->admin_address = *bound;
  impl->signals.emplace(impl->loop, SignalHandlers{[state = impl.get()] { state->drain(); }, [state = impl.get()] { state->stop_now(); },
                                                   [state = impl.get()] { state->reload(); }, [state = impl.get()] { state->reopen_logs(); }});
  return Started{std::unique_ptr<Daemon>(new Daemon(std::move(impl))), std::nullopt};
}

Daemon::Daemon(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Daemon::~Daemon() = default;
ControlLoop& Daemon::loop() { return impl_->loop; }
AdminServer& Daemon::admin() { return impl_->admin; }
const Endpoint& Daemon::admin_address() const { return impl_->admin_address; }
std::uint64_t Daemon::descriptor_limit() const { return impl_->descriptors; }
Readiness& Daemon::readiness() { return impl_->readiness; }

Result<cli::ExitCode> Daemon::serve(ServeHooks hooks) {
  impl_->hooks = std::move(hooks);
  if (const auto dropped = run_as(impl_->run_as_user); !dropped) {
    if (impl_->hooks.stop) impl_->hooks.stop();
    return tl::unexpected(dropped.error());
  }
  impl_->phase = Phase::serving;
  log::info("ready", {{"admin", to_string(impl_->admin_address)}, {"descriptors_max", impl_->descriptors}});
  impl_->readiness.ready(impl_->hooks.ready_status);
  if (impl_->background) impl_->background->ready();
  if (const auto period = impl_->readiness.watchdog_period())
    impl_->watchdog = impl_->loop.every(*period, [state = impl_.get()] { state->readiness.watchdog(); });
  impl_->loop.run();
  if (impl_->hooks.stop) impl_->hooks.stop();
  log::info("stopped");
  if (impl_->fatal) return tl::unexpected(*impl_->fatal);
  return cli::ExitCode::done;
}

void Daemon::finish() { impl_->loop.stop(); }

void Daemon::fatal(Error error) {
  impl_->loop.post([state = impl_.get(), error = std::move(error)]() mutable {
    if (!state->fatal) state->fatal = std::move(error);
    state->loop.stop();
  });
}

}  // namespace nlb::daemon
