#include "tools/nlb-forward/supervisor.hpp"

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

#include "libnlb/daemon/clock.hpp"
#include "libnlb/daemon/http_client.hpp"
#include "libnlb/daemon/log.hpp"
#include "libnlb/relay/plan_builder.hpp"
#include "libnlb/relay/socket.hpp"

namespace nlb::forward {

using daemon::mono_now;
namespace {

namespace log = daemon::log;
using daemon::handover::Socket;
using daemon::handover::Word;

constexpr int ready_timeout_ms = 60000;
constexpr Duration restart_delay_min = 500ms, restart_delay_max = 30s;
constexpr Duration answer_timeout = 1s;
constexpr Duration child_timeout = 5s;          // for an answer of a child that serves

Word word_of(std::string name) {
  Word word;
  word.word = std::move(name);
  return word;
}

daemon::Descriptor duplicate(const daemon::Descriptor& of) { return daemon::Descriptor(fcntl(of.get(), F_DUPFD_CLOEXEC, 0)); }

// Every child gets the same number of sockets, and at least one of each address: only a socket that somebody accepts from keeps its queue.
std::vector<std::vector<Socket>> deal(std::vector<relay::ListeningSockets> inherited, std::size_t children) {
  std::vector<std::vector<Socket>> hands(children);
  for (auto& one : inherited) {
    const auto count = one.sockets.size();
    const auto give = [&](std::size_t child, daemon::Descriptor socket) {
      hands[child].push_back({daemon::handover::Use::traffic, to_string(one.address), to_string(one.bound), std::move(socket)});
    };
    for (std::size_t child = count; count > 0 && child < children; ++child) give(child, duplicate(one.sockets[child % count]));
    for (std::size_t i = 0; i < count; ++i) give(i % children, std::move(one.sockets[i]));
  }
  return hands;
}

}  // namespace

Supervisor::Supervisor(const Supervised& wanted, daemon::Daemon& daemon, std::string runtime)
    : wanted_(wanted), daemon_(daemon), runtime_(std::move(runtime)), children_(wanted.processes) {
  std::error_code ignored;
  std::filesystem::create_directories(runtime_, ignored);
  for (std::size_t i = 0; i < children_.size(); ++i) {
    children_[i].index = i;
    children_[i].delay = restart_delay_min;
  }
}

std::vector<std::string> Supervisor::arguments(const Child& child, int ready_fd, int channel) const {
  std::vector<std::string> all = {"nlb-forward", "--process", std::to_string(child.index) + "/" + std::to_string(wanted_.processes),
                                  "--ready-fd", std::to_string(ready_fd), "--takeover-fd", std::to_string(channel)};
  if (!wanted_.config.file.empty()) all.insert(all.end(), {"--config", wanted_.config.file});
  for (const auto& set : wanted_.config.set) all.insert(all.end(), {"--set", set});
  all.insert(all.end(), {"--set", "admin.address=" + to_string(child.admin)});
  const auto workers = wanted_.workers != 0 ? wanted_.workers : std::max<std::size_t>(1, static_cast<std::size_t>(sysconf(_SC_NPROCESSORS_ONLN)) / wanted_.processes);
  all.insert(all.end(), {"--workers", std::to_string(workers)});
  return all;
}

// `alone`: nobody has to be waited for, so all that a predecessor would say is said at once.
Result<> Supervisor::start(Child& child, std::vector<Socket> sockets, bool alone) {
  int pipe_ends[2];
  if (pipe2(pipe_ends, O_CLOEXEC) != 0) return fail(ErrorKind::unavailable, std::string("can't start a process: ") + std::strerror(errno));
  daemon::Descriptor read_end(pipe_ends[0]), write_end(pipe_ends[1]);
  auto channels = daemon::Channel::pair();
  if (!channels) return tl::unexpected(channels.error());
  child.admin = *parse_endpoint("unix:" + runtime_ + "/forward-" + std::to_string(getpid()) + "-" + std::to_string(child.index) + ".admin");
  auto texts = arguments(child, write_end.get(), channels->second.number());
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
    fcntl(write_end.get(), F_SETFD, 0);
    fcntl(channels->second.number(), F_SETFD, 0);
    execv("/proc/self/exe", argv.data());
    _exit(70);
  }
  if (pid < 0) return fail(ErrorKind::unavailable, std::string("can't start a process: ") + std::strerror(errno));
  child.pid = pid;
  child.ready = read_end.release();
  child.started = mono_now();
  child.channel.emplace(std::move(channels->first));
  if (auto sent = daemon::handover::send_offer(*child.channel, sockets); !sent) return sent;
  if (!alone) return {};
  if (auto said = daemon::handover::say(*child.channel, word_of("released")); !said) return said;
  return daemon::handover::say(*child.channel, word_of("draining"));
}

// A child that has ended, or that hangs and is ended. Its own message has been logged.
Error Supervisor::ended_early(Child& child) {
  int status = 0;
  if (child.ready >= 0) close(std::exchange(child.ready, -1));
  pid_t ended = 0;
  for (int i = 0; i < 100 && (ended = waitpid(child.pid, &status, WNOHANG)) == 0; ++i) poll(nullptr, 0, 10);
  if (ended == 0) {
    kill(child.pid, SIGKILL);
    waitpid(child.pid, &status, 0);
  }
  child.pid = -1;
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
  const auto kind = code == 3 ? ErrorKind::config : code == 4 ? ErrorKind::unavailable : ErrorKind::internal;
  return {kind, "process " + std::to_string(child.index) + " did not start: its own message stands above"};
}

Result<> Supervisor::await_ready(Child& child) {
  pollfd waiting{child.ready, POLLIN, 0};
  char word = 0;
  const bool ready = poll(&waiting, 1, ready_timeout_ms) == 1 && read(child.ready, &word, 1) == 1;
  if (!ready) return tl::unexpected(ended_early(child));
  close(std::exchange(child.ready, -1));
  return {};
}

// One socket file can't be bound by each child: the parent has it, and every child accepts from it.
Result<> Supervisor::keep_unix_listeners(const config::Config& config, std::vector<relay::ListeningSockets>& inherited) {
  for (const auto& listener : config.listen)
    for (const auto& address : listener.addresses) {
      if (address.kind != Endpoint::Kind::unix_path) continue;
      const auto at = std::find_if(inherited.begin(), inherited.end(), [&](const auto& one) { return one.address == address; });
      if (at != inherited.end()) {
        kept_.push_back(std::move(*at));
        inherited.erase(at);
        continue;
      }
      auto socket = relay::open_listener(address, static_cast<int>(listener.backlog));
      if (!socket) return tl::unexpected(socket.error());
      kept_.push_back({address, address, {}});
      kept_.back().sockets.emplace_back(*socket);
    }
  return {};
}

std::vector<Socket> Supervisor::kept_duplicates() const {
  std::vector<Socket> all;
  for (const auto& one : kept_)
    for (const auto& socket : one.sockets)
      all.push_back({daemon::handover::Use::traffic, to_string(one.address), to_string(one.bound), duplicate(socket)});
  return all;
}

Result<> Supervisor::start_all(const config::Config& config) {
  std::vector<relay::ListeningSockets> none;
  if (auto kept = keep_unix_listeners(config, none); !kept) return kept;
  for (const auto& listener : config.listen)          // the children share their ports with one another, but with nobody else
    for (const auto& address : listener.addresses)
      if (auto where = relay::resolve(address))
        if (auto unused = relay::check_unused(*where); !unused) return unused;
  for (auto& child : children_)
    if (auto started = start(child, kept_duplicates(), true); !started) return started;
  return become_ready();
}

Result<> Supervisor::prepare(const config::Config& config, std::vector<relay::ListeningSockets> inherited) {
  if (auto kept = keep_unix_listeners(config, inherited); !kept) return kept;
  auto hands = deal(std::move(inherited), children_.size());
  for (auto& child : children_) {
    auto& hand = hands[child.index];
    for (auto& socket : kept_duplicates()) hand.push_back(std::move(socket));
    if (auto started = start(child, std::exchange(hand, {}), false); !started) return started;
  }
  for (auto& child : children_)
    if (!daemon::handover::await(*child.channel, "release", daemon::handover::prepare_timeout)) return tl::unexpected(ended_early(child));
  return {};
}

Result<std::vector<std::string>> Supervisor::take_over() {
  std::vector<std::string> taken;
  for (auto& child : children_)
    if (!daemon::handover::say(*child.channel, word_of("released"))) return tl::unexpected(ended_early(child));
  for (auto& child : children_) {
    auto serving = daemon::handover::await(*child.channel, "serving", daemon::handover::answer_timeout);
    if (!serving) return tl::unexpected(ended_early(child));
    taken.insert(taken.end(), serving->taken.traffic.begin(), serving->taken.traffic.end());
  }
  std::sort(taken.begin(), taken.end());
  taken.erase(std::unique(taken.begin(), taken.end()), taken.end());
  for (auto& child : children_)
    if (!daemon::handover::say(*child.channel, word_of("draining"))) return tl::unexpected(ended_early(child));
  return taken;
}

Result<> Supervisor::become_ready() {
  for (auto& child : children_)
    if (auto ready = await_ready(child); !ready) return ready;
  return {};
}

void Supervisor::watch(bool restart) {
  bool any = false;
  for (auto& child : children_) {
    int status = 0;
    if (child.pid > 0 && waitpid(child.pid, &status, WNOHANG) == child.pid) {
      child.pid = -1;
      child.channel.reset();
      if (child.ready >= 0) close(std::exchange(child.ready, -1));
      if (!draining_) {
        child.delay = mono_now() - child.started > 60s ? restart_delay_min : std::min(child.delay * 2, restart_delay_max);
        child.start_again = mono_now() + child.delay;
        log::error("a process ended: it is started again", {{"process", child.index}, {"after_seconds", to_seconds(child.delay)}});
      }
    }
    if (child.pid < 0 && restart && !draining_ && mono_now() >= child.start_again)
      if (auto started = start(child, kept_duplicates(), true); !started) log::error(started.error().text);
    any |= child.pid > 0;
  }
  if (draining_ && !any) daemon_.finish();
}

void Supervisor::signal_all(int signal) {
  for (const auto& child : children_)
    if (child.pid > 0) kill(child.pid, signal);
}

void Supervisor::drain() {
  draining_ = true;
  signal_all(SIGTERM);
}

void Supervisor::end_now() {
  signal_all(SIGTERM);
  const auto deadline = mono_now() + 2s;
  for (auto& child : children_) {
    if (child.pid <= 0) continue;
    signal_all(SIGTERM);   // a second one means now
    while (waitpid(child.pid, nullptr, WNOHANG) == 0) {
      if (mono_now() > deadline) kill(child.pid, SIGKILL);
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

// What all children listen on. Their copies of the sockets that the parent has are left out.
Result<std::vector<Socket>> Supervisor::collect_offers() {
  std::vector<Socket> all = kept_duplicates();
  for (auto& child : children_) {
    if (child.pid <= 0 || !child.channel) continue;
    auto asked = daemon::handover::say(*child.channel, word_of("hello"));
    auto offer = asked ? daemon::handover::await_offer(*child.channel, child_timeout) : tl::unexpected(asked.error());
    if (!offer) {
      reclaim();
      return fail(ErrorKind::refused, "process " + std::to_string(child.index) + " does not offer its sockets: " + offer.error().text);
    }
    for (auto& socket : *offer)
      if (!socket.address.starts_with("unix:") && socket.use == daemon::handover::Use::traffic) all.push_back(std::move(socket));
  }
  return all;
}

void Supervisor::release() {
  for (auto& child : children_)
    if (child.channel) (void)daemon::handover::say(*child.channel, word_of("release"));
  for (auto& child : children_)
    if (child.channel && !daemon::handover::await(*child.channel, "released", child_timeout))
      log::warning("a process does not let its files go", {{"process", child.index}});
}

void Supervisor::reclaim() {
  for (auto& child : children_)
    if (child.channel) (void)daemon::handover::say(*child.channel, word_of("reclaim"));
}

void Supervisor::hand_over(const daemon::handover::Taken& taken, pid_t heir) {
  draining_ = true;
  auto word = word_of("serving");
  word.pid = heir;
  word.taken = taken;
  for (auto& child : children_)
    if (child.channel) (void)daemon::handover::say(*child.channel, word);
  kept_.clear();
}

std::uint64_t Supervisor::sessions() {
  std::uint64_t all = 0;
  for (auto& child : children_) {
    if (child.pid <= 0 || !child.channel) continue;
    for (;;) {
      auto word = daemon::handover::await(*child.channel, "sessions", Duration::zero());
      if (!word) break;
      child.sessions = word->sessions;
    }
    all += child.sessions;
  }
  return all;
}

}  // namespace nlb::forward
