#include "tools/nlb-scale/serve.hpp"

#include <unistd.h>

#include "libnlb/bus/report.hpp"
#include "libnlb/daemon/log.hpp"
#include "libnlb/store/campaign.hpp"
#include "libnlb/store/open.hpp"
#include "tools/nlb-scale/leader.hpp"
#include "tools/nlb-scale/policy.hpp"

namespace nlb::tool {
namespace {

constexpr std::uint16_t admin_port = 8085;
constexpr Duration standby_look = std::chrono::seconds(1);

Result<> policies_are_good(const config::Config& config) {
  for (const auto& policy : config.scale.policies)
    if (const auto good = policy_of(policy, config.scale.interval); !good) return fail(ErrorKind::config, "scale.policies: " + policy.service + ": " + good.error().text);
  return {};
}

Result<cli::ConfigFile> load(const cli::ConfigOptions& options) {
  auto file = cli::load_config(options, "scale");
  if (file)
    if (auto good = policies_are_good(file->config); !good) return tl::unexpected(good.error());
  return file;
}

// Leads, or waits for the one who does.
class Standby {
 public:
  Standby(const ServeOptions& options, cli::ConfigFile file, daemon::Daemon& daemon) : options_(options), file_(std::move(file)), daemon_(daemon) {}

  Result<> start() { return file_.config.store.etcd_endpoints.empty() ? try_to_lead() : campaign(); }

  // Several machines: etcd elects. Who has lost stops acting at once; whatever started it starts it again, as standby.
  Result<> campaign() {
    auto opened = store::open_store(file_.config.store, "scale", file_.config.security.tls);
    if (!opened) return tl::unexpected(opened.error());
    shared_ = std::move(*opened);
    waiting_for_ = "another nlb-scale leads, or etcd doesn't answer yet";
    store::ElectionOptions options;
    char host[256] = "";
    static_cast<void>(::gethostname(host, sizeof host - 1));
    options.name = std::string(host) + ":" + std::to_string(::getpid());
    campaign_ = std::make_unique<store::Campaign>(*shared_, options, [this](const store::Leadership& told) {
      daemon_.loop().post([this, told] { elected(told); });
    });
    return {};
  }

  void elected(const store::Leadership& told) {
    if (told.leads == (leader_ != nullptr)) return;
    if (!told.leads) {
      leader_.reset();
      return daemon_.fatal({ErrorKind::unavailable, "the election was lost: another nlb-scale leads, or etcd doesn't answer: start it again as standby"});
    }
    auto leader = Leader::start_elected(file_, daemon_.loop(), options_.lines_on_stdin, shared_, told.fence);
    if (!leader) return daemon_.fatal(leader.error());
    leads(std::move(*leader));
  }

  void leads(std::unique_ptr<Leader> leader) {
    leader_ = std::move(leader);
    daemon::log::info("leading", {{"grpc", file_.config.scale.grpc}});
    daemon_.readiness().status("leading");
  }

  Result<> try_to_lead() {
    auto leader = Leader::try_start(file_, daemon_.loop(), options_.lines_on_stdin);
    if (leader) {
      timer_.reset();
      leads(std::move(*leader));
      return {};
    }
    if (leader.error().kind != ErrorKind::not_found) return tl::unexpected(leader.error());
    if (waiting_for_ != leader.error().text) daemon::log::info("standby", {{"reason", leader.error().text}});
    waiting_for_ = leader.error().text;
    timer_ = daemon_.loop().after(standby_look, [this] {
      if (auto tried = try_to_lead(); !tried) daemon_.fatal(tried.error());
    });
    return {};
  }

  std::string not_ready() const { return leader_ ? std::string() : "standby: " + waiting_for_; }
  std::string status() const { return leader_ ? leader_->status_json() : bus::with_bus("{\"tool\":\"nlb-scale\",\"leading\":false}", nullptr); }
  std::string metrics() const { return leader_ ? leader_->metrics_text() : "# TYPE nlb_leader gauge\nnlb_leader 0\n"; }
  Result<> reload() {
    auto fresh = cli::reload_config(options_.config, "scale", file_.config);
    if (!fresh) return tl::unexpected(fresh.error());
    if (auto good = policies_are_good(fresh->config); !good) return good;
    file_ = std::move(*fresh);
    return leader_ ? leader_->reload(file_) : Result<>{};
  }
  void stop() {
    timer_.reset();
    leader_.reset();
    campaign_.reset();           // resigns
  }

 private:
  const ServeOptions& options_;
  cli::ConfigFile file_;
  daemon::Daemon& daemon_;
  std::unique_ptr<Leader> leader_;
  std::shared_ptr<store::Store> shared_;
  std::unique_ptr<store::Campaign> campaign_;
  std::string waiting_for_;
  std::unique_ptr<daemon::Timer> timer_;
};

}  // namespace

CLI::App* add_serve(CLI::App& app, ServeOptions& options) {
  auto* serve = app.add_subcommand("serve", "run the loop: measure, decide, act");
  cli::add_config_options(*serve, options.config);
  daemon::add_daemon_options(*serve, options.daemon);
  serve->add_flag("--stdin", options.lines_on_stdin, "read measurements as JSON lines from stdin");
  return serve;
}

Result<cli::ExitCode> serve(const ServeOptions& options) {
  auto file = load(options.config);
  if (!file) return tl::unexpected(file.error());
  if (const auto answered = cli::answer_config(options.config, *file)) return *answered;
  auto started = daemon::Daemon::start({"nlb-scale", options.daemon, admin_port}, file->config);
  if (!started) return tl::unexpected(started.error());
  if (started->parent) return *started->parent;
  daemon::Daemon& daemon = *started->daemon;

  Standby standby(options, *file, daemon);
  if (auto tried = standby.start(); !tried) return tl::unexpected(tried.error());
  daemon.admin().route("/metrics", [&](const auto&) { return daemon::metrics_response(standby.metrics()); });
  daemon.admin().route("/status", [&](const auto&) { return daemon::json_response(standby.status()); });
  daemon::ServeHooks hooks;
  hooks.reload = [&] { return standby.reload(); };
  hooks.drain = [&](MonoTime) { daemon.finish(); };     // replicas go on without us
  hooks.stop = [&] { standby.stop(); };
  hooks.not_ready = [&] { return standby.not_ready(); };
  return daemon.serve(hooks);
}

}  // namespace nlb::tool
