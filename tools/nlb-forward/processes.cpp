#include "tools/nlb-forward/processes.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include <nlohmann/json.hpp>

#include "libnlb/daemon/http_client.hpp"
#include "libnlb/daemon/log.hpp"
#include "libnlb/metrics/merge.hpp"

namespace nlb::forward {
namespace {

namespace log = daemon::log;
using Json = nlohmann::ordered_json;

constexpr int ready_timeout_ms = 60000;
constexpr Duration look_period = 50ms;
constexpr Duration restart_delay_min = 500ms, restart_delay_max = 30s;
constexpr Duration answer_timeout = 1s;

MonoTime now() { return std::chrono::steady_clock::now(); }

struct Child {
  std::size_t index = 0;
  pid_t pid = -1;
  Endpoint admin;
  int ready = -1;                 // read end, until it has said so
  MonoTime started{}, start_again{};
  Duration delay = restart_delay_min;
};

class Supervisor {
 public:
  Supervisor(const Supervised& wanted, daemon::Daemon& daemon, std::string runtime)
      : wanted_(wanted), daemon_(daemon), runtime_(std::move(runtime)), children_(wanted.processes) {}
  ~Supervisor() { end_now(); }

  Result<> start_all();
  void watch();
  void signal_all(int signal) {
    for (const auto& child : children_)
      if (child.pid > 0) kill(child.pid, signal);
  }
  void drain() {
    draining_ = true;
    signal_all(SIGTERM);
  }
  void end_now();
  std::vector<std::string> ask_all(const char* page) const;

 private:
  Result<> start(Child& child);
  Result<> await_ready(Child& child);
  std::vector<std::string> arguments(const Child& child, int ready_fd) const;

  const Supervised& wanted_;
  daemon::Daemon& daemon_;
  std::string runtime_;
  std::vector<Child> children_;
  bool draining_ = false;
};

std::vector<std::string> Supervisor::arguments(const Child& child, int ready_fd) const {
  std::vector<std::string> all = {"nlb-forward", "--process", std::to_string(child.index) + "/" + std::to_string(wanted_.processes),
                                  "--ready-fd", std::to_string(ready_fd)};
  if (!wanted_.config.file.empty()) all.insert(all.end(), {"--config", wanted_.config.file});
  for (const auto& set : wanted_.config.set) all.insert(all.end(), {"--set", set});
  all.insert(all.end(), {"--set", "admin.address=" + to_string(child.admin)});
  const auto workers = wanted_.workers != 0 ? wanted_.workers : std::max<std::size_t>(1, static_cast<std::size_t>(sysconf(_SC_NPROCESSORS_ONLN)) / wanted_.processes);
  all.insert(all.end(), {"--workers", std::to_string(workers)});
  return all;
}

Result<> Supervisor::start(Child& child) {
  int pipe_ends[2];
  if (pipe2(pipe_ends, O_CLOEXEC) != 0) return fail(ErrorKind::unavailable, std::string("can't start a process: ") + std::strerror(errno));
  child.admin = *parse_endpoint("unix:" + runtime_ + "/forward-" + std::to_string(getpid()) + "-" + std::to_string(child.index) + ".admin");
  auto texts = arguments(child, pipe_ends[1]);
  std::vector<char*> argv;
  for (auto& text : texts) argv.push_back(text.data());
  argv.push_back(nullptr);
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) _exit(1);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    fcntl(pipe_ends[1], F_SETFD, 0);
    execv("/proc/self/exe", argv.data());
    _exit(70);
  }
  close(pipe_ends[1]);
  if (pid < 0) {
    close(pipe_ends[0]);
    return fail(ErrorKind::unavailable, std::string("can't start a process: ") + std::strerror(errno));
  }
  child.pid = pid;
  child.ready = pipe_ends[0];
  child.started = now();
  return {};
}

Result<> Supervisor::await_ready(Child& child) {
  pollfd waiting{child.ready, POLLIN, 0};
  char word = 0;
  const bool ready = poll(&waiting, 1, ready_timeout_ms) == 1 && read(child.ready, &word, 1) == 1;
  close(std::exchange(child.ready, -1));
  if (ready) return {};
  int status = 0;
  kill(child.pid, SIGKILL);   // it has ended, or hangs
  waitpid(std::exchange(child.pid, -1), &status, 0);
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
  const auto kind = code == 3 ? ErrorKind::config : code == 4 ? ErrorKind::unavailable : ErrorKind::internal;
  return fail(kind, "process " + std::to_string(child.index) + " did not start: its own message stands above");
}

Result<> Supervisor::start_all() {
  std::error_code ignored;
  std::filesystem::create_directories(runtime_, ignored);
  for (std::size_t i = 0; i < children_.size(); ++i) {
    children_[i].index = i;
    if (auto started = start(children_[i]); !started) return started;
  }
  for (auto& child : children_)
    if (auto ready = await_ready(child); !ready) return ready;
  return {};
}

// Reaps and restarts; while draining, the parent ends with the last child.
void Supervisor::watch() {
  bool any = false;
  for (auto& child : children_) {
    int status = 0;
    if (child.pid > 0 && waitpid(child.pid, &status, WNOHANG) == child.pid) {
      child.pid = -1;
      if (child.ready >= 0) close(std::exchange(child.ready, -1));
      if (!draining_) {
        child.delay = now() - child.started > 60s ? restart_delay_min : std::min(child.delay * 2, restart_delay_max);
        child.start_again = now() + child.delay;
        log::error("a process ended: it is started again", {{"process", child.index}, {"after_seconds", to_seconds(child.delay)}});
      }
    }
    if (child.pid < 0 && !draining_ && now() >= child.start_again)
      if (auto started = start(child); !started) log::error(started.error().text);
    any |= child.pid > 0;
  }
  if (draining_ && !any) daemon_.finish();
}

void Supervisor::end_now() {
  signal_all(SIGTERM);
  const auto deadline = now() + 2s;
  for (auto& child : children_) {
    if (child.pid <= 0) continue;
    signal_all(SIGTERM);   // a second one means now
    while (waitpid(child.pid, nullptr, WNOHANG) == 0) {
      if (now() > deadline) kill(child.pid, SIGKILL);
      poll(nullptr, 0, 10);
    }
    child.pid = -1;
    unlink(child.admin.host.c_str());
  }
}

std::vector<std::string> Supervisor::ask_all(const char* page) const {
  std::vector<std::string> answers;
  for (const auto& child : children_) {
    if (child.pid <= 0) continue;
    auto answer = daemon::http_get(child.admin, page, answer_timeout);
    if (answer && answer->status == 200) answers.push_back(std::move(answer->body));
  }
  return answers;
}

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

}  // namespace

std::string merge_statuses(const std::vector<std::string>& statuses) {
  Json all = Json::object();
  for (const auto& text : statuses) {
    const auto one = Json::parse(text, nullptr, false);
    if (!one.is_object()) continue;
    if (all.empty()) all = one;
    else merge_into(all, one);
  }
  all["pid"] = getpid();
  all["processes"] = statuses.size();
  return all.dump() + "\n";
}

Result<cli::ExitCode> supervise(const Supervised& wanted, const cli::ConfigFile& file, std::uint16_t admin_port, Duration drain_timeout) {
  if (wanted.config.file == "-")
    return fail(ErrorKind::usage, "--processes can't read the configuration from standard input: every process reads it: name a file");
  auto started = daemon::Daemon::start({"nlb-forward", wanted.daemon, admin_port}, file.config);
  if (!started) return tl::unexpected(started.error());
  if (started->parent) return *started->parent;
  daemon::Daemon& daemon = *started->daemon;
  Supervisor supervisor(wanted, daemon, cli::places_of("forward").runtime);
  if (auto all = supervisor.start_all(); !all) return tl::unexpected(all.error());

  daemon.admin().route("/metrics", [&](const auto&) { return daemon::metrics_response(metrics::merge_texts(supervisor.ask_all("/metrics"))); });
  daemon.admin().route("/status", [&](const auto&) { return daemon::json_response(merge_statuses(supervisor.ask_all("/status"))); });
  const auto timer = daemon.loop().every(look_period, [&] { supervisor.watch(); });
  daemon::ServeHooks hooks;
  hooks.reload = [&]() -> Result<> {
    auto fresh = cli::load_config(wanted.config, "forward");
    if (!fresh) return tl::unexpected(fresh.error());
    supervisor.signal_all(SIGHUP);
    return {};
  };
  hooks.reopen_logs = [&] { supervisor.signal_all(SIGUSR1); };
  hooks.drain_timeout = drain_timeout + 2s;   // the processes' own deadline comes first
  hooks.drain = [&](MonoTime) { supervisor.drain(); };
  hooks.stop = [&] { supervisor.end_now(); };
  return daemon.serve(hooks);
}

}  // namespace nlb::forward
