#include "tools/nlb-registry/life.hpp"

#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iostream>
#include <optional>

#include "libnlb/cli/ndjson.hpp"
#include "libnlb/daemon/clock.hpp"
#include "tools/nlb-registry/load_probe.hpp"

namespace nlb::registrar {

using daemon::mono_now;

namespace {

constexpr Duration retry_after = std::chrono::seconds(1);      // while no registry answers
constexpr Duration end_patience = std::chrono::seconds(10);    // for the command after TERM

void say(const std::string& text) { std::cerr << "nlb-registry: " << text << "\n"; }

// A module's life as the main loop of one process: beats at their time, signals by descriptor, and a child when there is a command.
class Life {
 public:
  Life(const LifeOptions& options, const cli::Common& common, const SignalDescriptor& signals, rpc::RegistryClient& client, const v1::Module& module)
      : options_(options), load_(options.load_file), common_(common), signals_(signals), client_(client), module_(module) {}

  Result<cli::ExitCode> live() {
    if (auto first = enrol(); !first) return tl::unexpected(first.error());
    if (!options_.command.empty())
      if (auto started = start_child(); !started) return leave(false), tl::unexpected(started.error());
    while (!ending_) {
      wait();
      if (!ending_ && mono_now() >= next_beat_) beat();
    }
    leave(true);
    return end_child();
  }

 private:
  Result<> enrol() {
    const auto reply = client_.register_module(module_);
    if (!reply) return tl::unexpected(reply.error());
    if (beats_++ == 0) print(*reply, common_);
    else say("registered again as " + reply->module_id());
    id_ = reply->module_id();
    lease_ = reply->lease_id();
    next_beat_ = mono_now() + std::chrono::milliseconds(reply->heartbeat_interval_ms());
    return {};
  }

  void beat() {
    v1::HeartbeatRequest request;
    request.set_module_id(id_);
    request.set_lease_id(lease_);
    if (auto load = load_.sample(child_, mono_now()); load.ByteSizeLong() > 0) *request.mutable_load() = std::move(load);
    const auto reply = client_.heartbeat(request);
    next_beat_ = mono_now() + (reply ? Duration(std::chrono::milliseconds(reply->heartbeat_interval_ms())) : retry_after);
    if (!reply) return missed(reply.error());
    const auto wish = reply->wish();
    if (wish != wish_ && wish == v1::WISH_DRAIN) say(id_ + " is draining: " + reply->reason());
    wish_ = wish;
    if (wish == v1::WISH_STOP) stop(id_ + ": " + reply->reason());
  }

  void missed(const Error& error) {
    if (error.kind != ErrorKind::not_found) return say(error.text + ": trying again");
    if (wish_ == v1::WISH_DRAIN) return stop(id_ + " has been drained");
    const auto again = enrol();
    if (again) return;
    say(again.error().text);
    if (again.error().kind == ErrorKind::conflict) stop(id_ + " belongs to a newer process");
  }

  void stop(const std::string& why) {
    say(why);
    ending_ = registered_elsewhere_ = true;
    if (child_ > 0) kill(child_, SIGTERM);
  }

  void wait() {
    pollfd ready{signals_.get(), POLLIN, 0};
    const auto left = std::max<std::int64_t>(0, (next_beat_ - mono_now()) / 1ms + 1);
    if (poll(&ready, 1, static_cast<int>(std::min<std::int64_t>(left, 60000))) <= 0) return;
    signalfd_siginfo info;
    while (read(signals_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
      if (info.ssi_signo == SIGCHLD) reap();
      else ending_ = true;
    }
  }

  void reap() {
    int status = 0;
    if (child_ > 0 && waitpid(child_, &status, WNOHANG) == child_) {
      child_ = 0;
      child_status_ = status;
      ending_ = true;
    }
  }

  // At the end of the time or the command: with sessions left to end while the command still runs, at once when it has gone.
  void leave(bool say_so) {
    if (registered_elsewhere_) return;
    v1::UnregisterModuleRequest request;
    request.set_module_id(id_);
    request.set_lease_id(lease_);
    request.set_reason(child_status_ ? "its command ended" : "it said so");
    const bool drains = child_ > 0 && options_.drain_timeout_ms > 0;
    request.set_drain(drains);
    if (drains) request.set_drain_timeout_ms(options_.drain_timeout_ms);
    const auto reply = client_.unregister_module(request);
    if (!reply && say_so) say(reply.error().text);
    if (reply && drains && reply->sessions_remaining() > 0) wait_for_drain(options_.drain_timeout_ms);
  }

  void wait_for_drain(std::uint32_t timeout_ms) {
    const auto deadline = mono_now() + std::chrono::milliseconds(timeout_ms);
    while (mono_now() < deadline && child_ > 0) {
      v1::HeartbeatRequest request;
      request.set_module_id(id_);
      request.set_lease_id(lease_);
      if (const auto reply = client_.heartbeat(request); !reply || reply->wish() == v1::WISH_STOP) return;      // gone from the list: drained
      next_beat_ = mono_now() + 500ms;
      wait();
    }
  }

  Result<> start_child() {
    const auto parent = getpid();
    const pid_t child = fork();
    if (child < 0) return fail(ErrorKind::unavailable, "start " + options_.command.front() + ": " + std::strerror(errno));
    if (child == 0) {
      pthread_sigmask(SIG_SETMASK, &signals_.before(), nullptr);
      prctl(PR_SET_PDEATHSIG, SIGTERM);
      if (getppid() != parent) _exit(70);
      std::vector<char*> arguments;
      for (const auto& word : options_.command) arguments.push_back(const_cast<char*>(word.c_str()));
      arguments.push_back(nullptr);
      execvp(arguments.front(), arguments.data());
      _exit(127);
    }
    child_ = child;
    return {};
  }

  Result<cli::ExitCode> end_child() {
    if (child_ > 0) kill(child_, SIGTERM);
    const auto deadline = mono_now() + end_patience;
    while (child_ > 0 && mono_now() < deadline) {
      next_beat_ = deadline;
      wait();
      reap();
    }
    if (child_ > 0) {
      kill(child_, SIGKILL);
      int status = 0;
      waitpid(child_, &status, 0);
    }
    if (registered_elsewhere_) return cli::ExitCode::no;
    if (child_status_ && WIFEXITED(*child_status_)) return static_cast<cli::ExitCode>(WEXITSTATUS(*child_status_));
    return cli::ExitCode::done;
  }

  const LifeOptions& options_;
  LoadProbe load_;
  const cli::Common& common_;
  const SignalDescriptor& signals_;
  rpc::RegistryClient& client_;
  const v1::Module& module_;
  std::string id_;
  std::uint64_t lease_ = 0, beats_ = 0;
  v1::Wish wish_ = v1::WISH_NONE;
  MonoTime next_beat_;
  pid_t child_ = 0;
  std::optional<int> child_status_;
  bool ending_ = false, registered_elsewhere_ = false;
};

}  // namespace

SignalDescriptor::SignalDescriptor() {
  sigset_t wanted;
  sigemptyset(&wanted);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGCHLD}) sigaddset(&wanted, signal);
  pthread_sigmask(SIG_BLOCK, &wanted, &before_);
  descriptor_ = signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
}

SignalDescriptor::~SignalDescriptor() {
  close(descriptor_);
  pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

void print(const v1::RegisterModuleReply& reply, const cli::Common& common) {
  if (cli::effective_output(common) != cli::Output::ndjson) {
    std::cout << reply.module_id() << (reply.created() ? " is registered" : " is renewed") << " for " << format_duration(std::chrono::milliseconds(reply.lease_ms()))
              << "; lease " << reply.lease_id() << "\n";
    return;
  }
  cli::NdjsonWriter(std::cout).write({{"module", reply.module_id()}, {"lease_id", reply.lease_id()}, {"incarnation", reply.incarnation()},
                                      {"lease_seconds", reply.lease_ms() / 1000.0}, {"heartbeat_interval_seconds", reply.heartbeat_interval_ms() / 1000.0},
                                      {"created", reply.created()}, {"max_connections", reply.limits().max_connections()}, {"epoch", reply.epoch()}});
}

Result<cli::ExitCode> live(const LifeOptions& options, const cli::Common& common, const SignalDescriptor& signals, rpc::RegistryClient& client,
                           const v1::Module& module) {
  return Life(options, common, signals, client, module).live();
}

}  // namespace nlb::registrar
