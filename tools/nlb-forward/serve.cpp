#include "tools/nlb-forward/serve.hpp"

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <optional>

#include "libnlb/daemon/access_log.hpp"
#include "libnlb/daemon/log.hpp"
#include "libnlb/daemon/successor.hpp"
#include "libnlb/relay/forwarder.hpp"
#include "libnlb/relay/observe.hpp"
#include "tools/nlb-forward/bus_link.hpp"
#include "tools/nlb-forward/manager_link.hpp"
#include "tools/nlb-forward/module_checks.hpp"
#include "tools/nlb-forward/processes.hpp"

namespace nlb::forward {
namespace {

constexpr std::uint16_t admin_port = 8082;
constexpr Duration take_back_period = 200ms;
constexpr const char* cancel_keys_name = "cancel_keys";
constexpr int take_back_tries = 25;

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

// The parts of a process that carries traffic, and in which order they come and go. Belongs to the control thread.
class Carrier {
 public:
  Carrier(const ServeOptions& options, const ProcessShare& share, Duration drain_timeout, daemon::Daemon& daemon, daemon::OwnCommand command)
      : options_(options), share_(share), drain_timeout_(drain_timeout), daemon_(daemon), command_(std::move(command)),
        giver_(daemon.loop(), options.takeover.old_generations_max, giver_hooks()) {}

  Result<cli::ExitCode> run(const cli::ConfigFile& file, Inheritance inheritance);

 private:
  bool is_child() const { return share_.count > 1; }
  Result<> open_access_log();
  Result<> start_link();
  Result<> reload();
  Result<> try_reload();
  Result<> succeed();
  void add_pages();
  daemon::GiverHooks giver_hooks();
  void let_go();
  void take_back();
  bool try_to_take_back(bool last);
  void hand_over(const daemon::handover::Taken& taken, pid_t heir);
  void reopen_logs();

  const ServeOptions& options_;
  ProcessShare share_;
  Duration drain_timeout_;
  daemon::Daemon& daemon_;
  daemon::OwnCommand command_;
  config::Config config_;              // the one in force
  std::unique_ptr<daemon::AccessLog> access_log_;
  std::unique_ptr<relay::Forwarder> engine_;
  std::unique_ptr<BusLink> link_;      // absent while another process may hold its directory
  std::unique_ptr<ModuleChecks> checks_;
  std::optional<ManagerLink> manager_;
  std::unique_ptr<daemon::Timer> again_;
  daemon::Giver giver_;
};

Result<> Carrier::open_access_log() {
  if (config_.log.access.file.empty()) return {};
  auto opened = daemon::AccessLog::open(config_.log.access.file);
  if (!opened) return tl::unexpected(opened.error());
  access_log_ = std::move(*opened);
  return {};
}

Result<> Carrier::start_link() {
  auto link = BusLink::start(config_, cli::places_of(share_.tool()), options_.accept_epoch, *engine_, daemon_.loop());
  if (!link) return tl::unexpected(link.error());
  link_ = std::move(*link);
  return {};
}

Result<cli::ExitCode> Carrier::run(const cli::ConfigFile& file, Inheritance inheritance) {
  config_ = file.config;
  if (auto opened = open_access_log(); !opened) return tl::unexpected(opened.error());
  const bool takes_over = inheritance.heir.has_value();
  auto engine = relay::Forwarder::start(config_, {options_.workers, access_log_.get(), share_.index, share_.count, takes_over}, daemon_.loop(),
                                        std::move(inheritance.traffic));
  if (!engine) return tl::unexpected(engine.error());
  engine_ = std::move(*engine);
  for (const auto& l : engine_->listeners().status()) daemon::log::info("listening", {{"listener", l.name}, {"address", l.address}});

  // All that may fail at length is done: only now does the old process let go of what one alone may hold.
  if (takes_over) {
    if (auto released = inheritance.heir->release(); !released) return fail(released.error().kind, "can't take over: " + released.error().text);
    if (auto claimed = daemon_.claim_pid_file(); !claimed) return tl::unexpected(claimed.error());
  }
  if (auto linked = start_link(); !linked) return tl::unexpected(linked.error());
  checks_ = std::make_unique<ModuleChecks>(*engine_, daemon_.loop());
  auto manager = ManagerLink::start(file, is_child() ? std::to_string(share_.index + 1) : std::string(), *engine_, daemon_.loop());
  if (!manager) return tl::unexpected(manager.error());
  manager_.emplace(std::move(*manager));
  add_pages();
  if (!inheritance.endpoint.descriptor && !is_child()) open_endpoint(giver_);

  daemon::ServeHooks hooks;
  hooks.reload = [&] { return reload(); };
  hooks.drain_timeout = drain_timeout_ + 1s;   // sessions end by their own deadline first
  hooks.drain = [&](MonoTime) {
    giver_.close();
    engine_->drain(drain_timeout_, [&] { daemon_.finish(); });
  };
  hooks.stop = [&] {
    manager_->end();
    link_.reset();
    checks_.reset();
    engine_.reset();
  };
  hooks.reopen_logs = [&] {
    reopen_logs();
    giver_.tell_elders_to_reopen_logs();
  };
  hooks.take_over = [&]() -> Result<> {
    if (!takes_over) return {};
    if (auto awaited = inheritance.check_awaited(); !awaited) return awaited;
    engine_->listeners().begin_accepting();
    inheritance.finish(giver_, engine_->listeners().inherited_addresses(), is_child());
    for (const auto& notes : inheritance.notes)
      if (auto bytes = daemon::handover::read_notes(notes); bytes && notes.address == cancel_keys_name) engine_->cancel_keys().inherit(relay::decode_keys(*bytes));
    return {};
  };
  hooks.succeed = [&] { return succeed(); };
  return daemon_.serve(std::move(hooks));
}

void Carrier::add_pages() {
  daemon_.admin().route("/metrics", [&](const auto&) {
    metrics::Snapshot snapshot;
    relay::add_metrics(snapshot, *engine_, access_log_.get());
    if (link_) link_->add_metrics(snapshot);
    manager_->add_metrics(snapshot);
    if (!is_child()) add_takeover_metrics(snapshot, giver_);
    return daemon::metrics_response(metrics::exposition(snapshot));
  });
  daemon_.admin().route("/status", [&](const auto&) {
    return daemon::json_response(relay::status_json(*engine_, link_ ? link_->status_json() : "{}", manager_->status_json(), old_generations_json(giver_)));
  });
}

Result<> Carrier::reload() {
  auto reloaded = try_reload();
  engine_->count_reload(reloaded.has_value());
  return reloaded;
}

Result<> Carrier::try_reload() {
  auto fresh = cli::reload_config(options_.config, share_.tool(), config_);
  if (!fresh) return tl::unexpected(fresh.error());
  if (auto listening = has_listener(*fresh); !listening) return listening;
  if (giver_.handing_over()) return fail(ErrorKind::refused, "a takeover is under way: the new process reads the configuration");
  if (link_)
    if (auto keys = link_->reload_keys(); !keys) return keys;
  auto reloaded = engine_->reload(fresh->config);
  if (reloaded && checks_) checks_->follow();
  if (reloaded) manager_->reloaded(*fresh);
  return reloaded;
}

void Carrier::reopen_logs() {
  if (access_log_) access_log_->reopen();
}

Result<> Carrier::succeed() {
  if (is_child()) return fail(ErrorKind::refused, "this process has a parent: send USR2 to that one");
  return forward::succeed(giver_, command_, daemon_.readiness(), options_.config);
}

daemon::GiverHooks Carrier::giver_hooks() {
  daemon::GiverHooks hooks;
  hooks.offer = [this]() -> Result<std::vector<daemon::handover::Socket>> {
    std::vector<daemon::handover::Socket> sockets;
    add_sockets(sockets, engine_->listeners().duplicate());
    add_admin(sockets, daemon_.admin().listener(), daemon_.admin_address());
    return sockets;
  };
  hooks.release = [this] { let_go(); };
  hooks.reclaim = [this] { take_back(); };
  hooks.hand_over = [this](const auto& taken, pid_t heir) { hand_over(taken, heir); };
  hooks.notes = [this] {
    std::vector<daemon::handover::Socket> all;
    if (auto keys = daemon::handover::write_notes(cancel_keys_name, relay::encode_keys(engine_->cancel_keys().all()))) all.push_back(std::move(*keys));
    return all;
  };
  hooks.elders_ended = [this] { engine_->cancel_keys().inherit({}); };
  hooks.sessions = [this] { return engine_ ? engine_->open_sessions() : 0; };
  hooks.reopen_logs = [this] { reopen_logs(); };
  return hooks;
}

// What is routed to stays as it was when the bus was let go: sessions don't notice.
void Carrier::let_go() {
  again_.reset();
  link_.reset();
  daemon_.let_go();
}

// The heir that failed may need a moment to end and so to free the pid file and the bus's directory.
void Carrier::take_back() {
  if (try_to_take_back(false)) return;
  again_ = daemon_.loop().every(take_back_period, [this, tries = 0]() mutable {
    if (try_to_take_back(++tries >= take_back_tries) || tries >= take_back_tries) again_.reset();
  });
}

bool Carrier::try_to_take_back(bool last) {
  const auto back = daemon_.take_back();
  if (!back && last) daemon::log::error(back.error().text);
  if (!back && !last) return false;
  if (link_) return true;
  if (!last && !bus::DirectoryLock::take(cli::places_of(share_.tool()).state + "/" + share_.tool())) return false;
  if (auto linked = start_link(); !linked) daemon::log::error("the bus can't be taken back", {{"reason", linked.error().text}});
  return link_ != nullptr;
}

void Carrier::hand_over(const daemon::handover::Taken& taken, pid_t heir) {
  daemon_.handed_over(heir, taken.admin);
  manager_->end();   // the heir reports under the same name
  checks_.reset();   // and what begins here no more needs no checks
  engine_->drain(drain_timeout_, [this] { daemon_.finish(); }, taken.traffic);
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
  add_takeover_options(app, options.takeover);
  app.add_flag("--accept-epoch", options.accept_epoch, "believe an owner on the bus once although it speaks from an earlier time than what is known of it: "
               "for a registry whose disk was lost and whose clock is behind");
  app.add_option("--process", options.share, "")->group("");   // hidden: how the parent tells a child which it is
}

Result<cli::ExitCode> serve(const ServeOptions& options) {
  const auto share = parse_share(options.share);
  if (!share) return tl::unexpected(share.error());
  auto command = daemon::OwnCommand::read();
  auto file = cli::load_config(options.config, share->tool());
  if (!file) return tl::unexpected(file.error());
  if (const auto answered = cli::answer_config(options.config, *file)) return *answered;
  if (auto listening = has_listener(*file); !listening) return tl::unexpected(listening.error());
  auto inheritance = inherit(options.takeover);
  if (!inheritance) return tl::unexpected(inheritance.error());
  const auto timeout = drain_timeout(file->config);
  if (options.processes > 1)
    return supervise({options.config, options.daemon, options.workers, options.processes, options.takeover.old_generations_max}, *file, admin_port,
                     timeout, std::move(*inheritance), std::move(command));

  const int admin = inheritance->take_admin(daemon::admin_endpoint(file->config.admin, admin_port));
  auto started = daemon::Daemon::start({"nlb-forward", options.daemon, admin_port, inheritance->heir.has_value(), admin}, file->config);
  if (!started) return tl::unexpected(started.error());
  if (started->parent) return *started->parent;
  Carrier carrier(options, *share, timeout, *started->daemon, std::move(command));
  return carrier.run(*file, std::move(*inheritance));
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
