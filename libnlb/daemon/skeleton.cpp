#include "libnlb/daemon/skeleton.hpp"

#include <utility>

#include <CLI/CLI.hpp>

#include "libnlb/daemon/clock.hpp"
#include "libnlb/daemon/daemonize.hpp"
#include "libnlb/daemon/log.hpp"
#include "libnlb/daemon/signals.hpp"

namespace nlb::daemon {
namespace {

enum class Phase { starting, serving, draining };

}  // namespace

Endpoint admin_endpoint(const config::Admin& admin, std::uint16_t default_port) {
  if (admin.address) return *admin.address;
  return {Endpoint::Kind::ip, default_port, IpAddress::v4(0x7f000001), {}};
}

void add_daemon_options(CLI::App& app, DaemonOptions& options) {
  app.add_option("--ready-fd", options.ready_fd, "write \"ready\" to this descriptor once all is up, then close it")->option_text("N");
  app.add_flag("--daemon", options.background, "go to the background once ready (not needed under systemd)");
  app.add_option("--pid-file", options.pid_file, "write the process id here; a second process with the same file is refused")
      ->option_text("FILE");
}

struct Daemon::Impl {
  Impl(const DaemonSettings& wanted, const config::Config& config)
      : pid_path(wanted.options.pid_file), run_as_user(config.security.run_as), readiness(Readiness::from_environment(wanted.options.ready_fd)) {}

  AdminResponse readyz() const {
    if (phase == Phase::starting) return {503, "text/plain; charset=utf-8", "starting\n"};
    if (phase == Phase::draining) return {503, "text/plain; charset=utf-8", "draining\n"};
    const auto reason = hooks.not_ready ? hooks.not_ready() : std::string();
    if (!reason.empty()) return {503, "text/plain; charset=utf-8", reason + "\n"};
    return {200, "text/plain; charset=utf-8", "ready\n"};
  }

  Result<> claim_pid_file() {
    if (pid_path.empty() || pid_file) return {};
    auto file = PidFile::create(pid_path);
    if (!file) return tl::unexpected(file.error());
    pid_file.emplace(std::move(*file));
    return {};
  }

  void let_go() {
    if (!pid_file) return;
    pid_file->let_go();
    pid_file.reset();
  }

  Result<> take_back() {
    if (phase == Phase::serving) readiness.ready("a takeover failed: the old process goes on");
    return claim_pid_file();
  }

  void handed_over(int heir, bool admin_too) {
    phase = Phase::draining;
    admin.close(admin_too);
    watchdog.reset();
    readiness.hand_over(heir);
    limit_drain();
  }

  void limit_drain() {
    deadline = loop.after(hooks.drain_timeout, [this] {
      log::warning("the drain timeout is over: what is left is closed");
      loop.stop();
    });
  }

  void succeed() {
    if (phase != Phase::serving || !hooks.succeed) return log::warning("USR2: no successor is started", {{"reason", phase == Phase::draining ? "this process drains" : "this program has none"}});
    readiness.reloading(mono_now());
    auto begun = hooks.succeed();
    if (begun) return;
    log::error("no successor is started: this process goes on", {{"reason", begun.error().text}});
    readiness.ready("no successor was started: " + begun.error().text);
  }

  void drain() {
    if (phase == Phase::draining) return;   // handed over already: a manager that stops the service tells all its processes
    log::info("draining", {{"timeout_seconds", to_seconds(hooks.drain_timeout)}});
    phase = Phase::draining;
    readiness.stopping();
    if (!hooks.drain) return loop.stop();
    limit_drain();
    hooks.drain(mono_now() + hooks.drain_timeout);
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
    readiness.reloading(mono_now());
    const auto done = hooks.reload ? hooks.reload() : Result<>{};
    if (done) log::info("reloaded");
    else log::error("reload refused: the old configuration stays", {{"reason", done.error().text}});
    readiness.ready(done ? hooks.ready_status : "reload refused, the old configuration stays: " + done.error().text);
  }

  std::string pid_path, run_as_user;
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
  if (!settings.takes_over)
    if (auto claimed = impl->claim_pid_file(); !claimed) return tl::unexpected(claimed.error());
  impl->descriptors = raise_descriptor_limit();
  impl->admin.route("/healthz", [](const AdminRequest&) { return AdminResponse{200, "text/plain; charset=utf-8", "alive\n"}; });
  impl->admin.route("/readyz", [state = impl.get()](const AdminRequest&) { return state->readyz(); });
  impl->admin_address = admin_endpoint(config.admin, settings.admin_default_port);
  if (settings.admin_listener >= 0) {
    impl->admin.adopt(settings.admin_listener, impl->admin_address);
  } else {
    const auto bound = impl->admin.listen(impl->admin_address);
    if (!bound) return tl::unexpected(bound.error());
    impl->admin_address = *bound;
  }
  impl->signals.emplace(impl->loop, SignalHandlers{[state = impl.get()] { state->drain(); }, [state = impl.get()] { state->stop_now(); },
                                                   [state = impl.get()] { state->reload(); }, [state = impl.get()] { state->reopen_logs(); }, [state = impl.get()] { state->succeed(); }});
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
  if (impl_->hooks.take_over)
    if (auto taken = impl_->hooks.take_over(); !taken) {
      if (impl_->hooks.stop) impl_->hooks.stop();
      return tl::unexpected(taken.error());
    }
  impl_->admin.open();
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

Result<> Daemon::claim_pid_file() { return impl_->claim_pid_file(); }
void Daemon::let_go() { impl_->let_go(); }
Result<> Daemon::take_back() { return impl_->take_back(); }
void Daemon::handed_over(int heir, bool admin_too) { impl_->handed_over(heir, admin_too); }

void Daemon::finish() { impl_->loop.stop(); }

void Daemon::fatal(Error error) {
  impl_->loop.post([state = impl_.get(), error = std::move(error)]() mutable {
    if (!state->fatal) state->fatal = std::move(error);
    state->loop.stop();
  });
}

}  // namespace nlb::daemon
