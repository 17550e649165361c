#include "tools/nlb-forward/processes.hpp"

#include <signal.h>
#include <unistd.h>

#include <algorithm>

#include <nlohmann/json.hpp>

#include "libnlb/daemon/log.hpp"
#include "libnlb/metrics/exposition.hpp"
#include "libnlb/metrics/merge.hpp"
#include "tools/nlb-forward/supervisor.hpp"

namespace nlb::forward {
namespace {

using Json = nlohmann::ordered_json;

constexpr Duration look_period = 50ms;
constexpr Duration take_back_period = 200ms;
constexpr int take_back_tries = 25;

// Numbers that say a state or a size rather than a count.
bool is_state(std::string_view key) {
  return key == "pid" || key == "table_generation" || key == "max_connections" || key == "epoch" || key == "split_generation" ||
         key == "weight" || key.ends_with("_seconds");
}

void merge_into(Json& to, const Json& from) {
  if (to.is_object() && from.is_object()) {
    for (const auto& [key, value] : from.items()) {
      if (!to.contains(key)) to[key] = value;
      else if (to[key].is_number() && value.is_number()) {
        if (is_state(key)) to[key] = std::max(to[key].get<double>(), value.get<double>());
        else to[key] = to[key].get<std::uint64_t>() + value.get<std::uint64_t>();
      } else merge_into(to[key], value);
    }
  } else if (to.is_array() && from.is_array()) {
    for (const auto& one : from) {
      const auto same = [&](const Json& other) { return other.is_object() && one.is_object() && other.value("name", Json()) == one.value("name", Json()); };
      const auto at = std::find_if(to.begin(), to.end(), same);
      if (at == to.end()) to.push_back(one);
      else merge_into(*at, one);
    }
  }
}

// The parent's part of takeovers: it speaks for its children.
daemon::GiverHooks giver_hooks(Supervisor& supervisor, daemon::Daemon& daemon, std::unique_ptr<daemon::Timer>& again) {
  daemon::GiverHooks hooks;
  hooks.offer = [&]() -> Result<std::vector<daemon::handover::Socket>> {
    auto sockets = supervisor.collect_offers();
    if (sockets) add_admin(*sockets, daemon.admin().listener(), daemon.admin_address());
    return sockets;
  };
  hooks.release = [&] {
    again.reset();
    supervisor.release();
    daemon.let_go();
  };
  hooks.reclaim = [&] {
    supervisor.reclaim();
    if (daemon.take_back()) return;
    again = daemon.loop().every(take_back_period, [&daemon, &again, tries = 0]() mutable {   // the heir may need a moment to end
      if (daemon.take_back() || ++tries >= take_back_tries) again.reset();
    });
  };
  hooks.hand_over = [&](const daemon::handover::Taken& taken, pid_t heir) {
    supervisor.hand_over(taken, heir);
    daemon.handed_over(heir, taken.admin);
  };
  hooks.sessions = [&] { return supervisor.sessions(); };
  hooks.reopen_logs = [&] { supervisor.signal_all(SIGUSR1); };
  return hooks;
}

// Up to the point where the old process has let go, and all children know it may be their turn.
Result<> start_children(Supervisor& supervisor, const config::Config& config, Inheritance& inheritance, daemon::Daemon& daemon) {
  if (!inheritance.heir) return supervisor.start_all(config);
  if (auto prepared = supervisor.prepare(config, std::move(inheritance.traffic)); !prepared) return prepared;
  if (auto released = inheritance.heir->release(); !released) return fail(released.error().kind, "can't take over: " + released.error().text);
  return daemon.claim_pid_file();
}

}  // namespace

std::string merge_statuses(const std::vector<std::string>& statuses, const std::string& old_generations_json) {
  Json all = Json::object();
  for (const auto& text : statuses) {
    const auto one = Json::parse(text, nullptr, false);
    if (!one.is_object()) continue;
    if (all.empty()) all = one;
    else merge_into(all, one);
  }
  all["pid"] = getpid();
  all["processes"] = statuses.size();
  all["old_generations"] = Json::parse(old_generations_json, nullptr, false);
  return all.dump() + "\n";
}

Result<cli::ExitCode> supervise(const Supervised& wanted, const cli::ConfigFile& file, std::uint16_t admin_port, Duration drain_timeout,
                                Inheritance inheritance, daemon::OwnCommand command) {
  if (wanted.config.file == "-")
    return fail(ErrorKind::usage, "--processes can't read the configuration from standard input: every process reads it: name a file");
  const int admin = inheritance.take_admin(daemon::admin_endpoint(file.config.admin, admin_port));
  auto started = daemon::Daemon::start({"nlb-forward", wanted.daemon, admin_port, inheritance.heir.has_value(), admin}, file.config);
  if (!started) return tl::unexpected(started.error());
  if (started->parent) return *started->parent;
  daemon::Daemon& daemon = *started->daemon;
  Supervisor supervisor(wanted, daemon, cli::places_of("forward").runtime);
  std::unique_ptr<daemon::Timer> again;
  daemon::Giver giver(daemon.loop(), wanted.old_generations_max, giver_hooks(supervisor, daemon, again));
  if (auto all = start_children(supervisor, file.config, inheritance, daemon); !all) return tl::unexpected(all.error());
  if (!inheritance.endpoint.descriptor) open_endpoint(giver);

  daemon.admin().route("/metrics", [&](const auto&) {
    metrics::Snapshot own;
    add_takeover_metrics(own, giver);
    auto texts = supervisor.ask_all("/metrics");
    texts.push_back(metrics::exposition(own));
    return daemon::metrics_response(metrics::merge_texts(texts));
  });
  daemon.admin().route("/status", [&](const auto&) {
    return daemon::json_response(merge_statuses(supervisor.ask_all("/status"), old_generations_json(giver)));
  });
  const auto timer = daemon.loop().every(look_period, [&] { supervisor.watch(!giver.handing_over()); });
  daemon::ServeHooks hooks;
  hooks.reload = [&]() -> Result<> {
    auto fresh = cli::load_config(wanted.config, "forward");
    if (!fresh) return tl::unexpected(fresh.error());
    if (giver.handing_over()) return fail(ErrorKind::refused, "a takeover is under way: the new process reads the configuration");
    supervisor.signal_all(SIGHUP);
    return {};
  };
  hooks.reopen_logs = [&] {
    supervisor.signal_all(SIGUSR1);
    giver.tell_elders_to_reopen_logs();
  };
  hooks.drain_timeout = drain_timeout + 2s;   // the processes' own deadline comes first
  hooks.drain = [&](MonoTime) {
    giver.close();
    supervisor.drain();
  };
  hooks.stop = [&] { supervisor.end_now(); };
  hooks.take_over = [&]() -> Result<> {
    if (!inheritance.heir) return {};
    if (auto awaited = inheritance.check_awaited(); !awaited) return awaited;
    auto taken = supervisor.take_over();
    if (!taken) return tl::unexpected(taken.error());
    inheritance.finish(giver, std::move(*taken), false);
    return supervisor.become_ready();
  };
  hooks.succeed = [&] { return succeed(giver, command, daemon.readiness(), wanted.config); };
  return daemon.serve(std::move(hooks));
}

}  // namespace nlb::forward
