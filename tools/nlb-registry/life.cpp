#include "tools/nlb-registry/life.hpp"

#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iostream>
#include <optional>
#include <utility>

#include "libnlb/cli/ndjson.hpp"
#include "libnlb/core/address.hpp"
#include "libnlb/daemon/clock.hpp"
#include "tools/nlb-registry/child.hpp"
#include "tools/nlb-registry/connections.hpp"
#include "tools/nlb-registry/load_probe.hpp"

namespace nlb::registrar {

using daemon::mono_now;

namespace {

constexpr Duration retry_after = std::chrono::seconds(1);      // while no registry answers
constexpr Duration start_patience = std::chrono::seconds(10);  // until the command takes connections
constexpr Duration end_patience = std::chrono::seconds(10);    // for the command after TERM

void say(const std::string& text) { std::cerr << "nlb-registry: " << text << "\n"; }

// A module's life as the main loop of one process: beats at their time, signals by descriptor, and a child when there is a command.
class Life {
 public:
  Life(const LifeOptions& options, const cli::Common& common, const SignalDescriptor& signals, rpc::RegistryClient& client, const v1::Module& module)
      : options_(options), load_(options.load_file), common_(common), signals_(signals), client_(client), module_(module) {}

  Result<cli::ExitCode> live() {
    if (!options_.command.empty())
      if (auto started = start(); !started) return never_ran(started.error());
    if (ending_) return end_child();
    if (auto first = enrol(); !first) return (void)end_child(), tl::unexpected(first.error());
    while (!ending_) {
      wait();
      if (!ending_ && mono_now() >= next_beat_) beat();
    }
    leave();
    if (registered_elsewhere_) wait_for_connections();
    return end_child();
  }

 private:
  // The caller tells a command that can't be run by the exit code that a shell has for it.
  Result<cli::ExitCode> never_ran(const Error& error) const {
    if (!child_.has_ended()) return tl::unexpected(error);
    say(error.text);
    return static_cast<cli::ExitCode>(child_.exit_code());
  }

  // Who takes a name over gets its sessions at once, so the command has to be there before it is registered.
  Result<> start() {
    if (auto started = child_.start(options_.command, signals_.before()); !started) return started;
    const auto address = parse_endpoint(module_.data_address());
    const auto deadline = mono_now() + start_patience;
    while (!ending_ && address && !takes_connections(*address)) {
      if (mono_now() >= deadline) return say("nothing takes connections at " + module_.data_address() + " yet: its checks will tell when it does"), Result<>{};
      next_beat_ = mono_now() + 50ms;
      wait();
    }
    return {};
  }

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
    if (auto load = load_.sample(child_.process(), mono_now()); load.ByteSizeLong() > 0) *request.mutable_load() = std::move(load);
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
    if (again.error().kind == ErrorKind::conflict) stop(id_ + " may not come back");
  }

  void stop(const std::string& why) {
    say(why);
    ending_ = registered_elsewhere_ = true;
  }

  void wait() {
    pollfd ready{signals_.get(), POLLIN, 0};
    const auto left = std::max<std::int64_t>(0, (next_beat_ - mono_now()) / 1ms + 1);
    if (poll(&ready, 1, static_cast<int>(std::min<std::int64_t>(left, 60000))) <= 0) return;
    signalfd_siginfo info;
    while (read(signals_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
      if (info.ssi_signo != SIGCHLD) hurry_ = std::exchange(ending_, true);
      else if (child_.reap()) ended_by_itself_ = !std::exchange(ending_, true);
    }
  }

  // At the end of the time or the command: with sessions left to end while the command still runs, at once when it has gone.
  void leave() {
    if (registered_elsewhere_) return;
    v1::UnregisterModuleRequest request;
    request.set_module_id(id_);
    request.set_lease_id(lease_);
    request.set_reason(child_.has_ended() ? "its command ended" : "it said so");
    const bool drains = child_.runs() && options_.drain_timeout_ms > 0;
    request.set_drain(drains);
    if (drains) request.set_drain_timeout_ms(options_.drain_timeout_ms);
    const auto reply = client_.unregister_module(request);
    if (!reply) say(reply.error().text);
    if (reply && drains) wait_for_drain();
  }

  MonoTime drain_deadline() const { return mono_now() + std::chrono::milliseconds(options_.drain_timeout_ms); }

  // The registry takes it out when every forwarder has heard of the drain and has no session left. How many there were a moment ago says
  // nothing about those on their way.
  void wait_for_drain() {
    for (const auto deadline = drain_deadline(); mono_now() < deadline && child_.runs() && !hurry_;) {
      v1::HeartbeatRequest request;
      request.set_module_id(id_);
      request.set_lease_id(lease_);
      if (const auto reply = client_.heartbeat(request); !reply || reply->wish() == v1::WISH_STOP) return;      // gone from the list: drained
      next_beat_ = mono_now() + 500ms;
      wait();
    }
  }

  // Of a name that is another's now the registry counts no sessions; the kernel does. Twice none: one may just be on its way.
  void wait_for_connections() {
    const auto address = parse_endpoint(module_.data_address());
    int looks_without = 0;
    for (const auto deadline = drain_deadline(); address && mono_now() < deadline && child_.runs() && !hurry_;) {
      looks_without = open_connections(address->port) == 0 ? looks_without + 1 : 0;
      if (looks_without == 2) return;
      next_beat_ = mono_now() + 200ms;
      wait();
    }
  }

  Result<cli::ExitCode> end_child() {
    child_.signal(SIGTERM);
    const auto deadline = mono_now() + end_patience;
    while (child_.runs() && mono_now() < deadline) {
      next_beat_ = deadline;
      wait();
      child_.reap();
    }
    child_.kill_now();
    if (registered_elsewhere_) return cli::ExitCode::no;
    const int code = child_.exit_code();
    return code > 128 && !ended_by_itself_ ? cli::ExitCode::done : static_cast<cli::ExitCode>(code);      // of TERM and KILL, which were ours
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
  Child child_;
  bool ending_ = false, registered_elsewhere_ = false;
  bool ended_by_itself_ = false;
  bool hurry_ = false;      // a second signal: no more waiting for sessions
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
