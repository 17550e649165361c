#include "tools/nlb-registry/register.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iostream>
#include <optional>

#include "libnlb/bus/records.hpp"

namespace nlb::registrar {

namespace {

constexpr Duration retry_after = std::chrono::seconds(1);      // while no registry answers
constexpr Duration end_patience = std::chrono::seconds(10);    // for the command after TERM

MonoTime now() { return std::chrono::steady_clock::now(); }

Result<std::uint32_t> milliseconds(const std::string& text, const char* flag) {
  if (text.empty()) return 0u;
  const auto d = parse_duration(text);
  if (!d) return fail(ErrorKind::usage, std::string(flag) + ": " + d.error().text);
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(*d / 1ms, 1, 0xffffffff));
}

template <std::size_t N>
int index_of(const std::array<std::string_view, N>& names, const std::string& name) {
  return static_cast<int>(std::find(names.begin(), names.end(), name) - names.begin());
}

std::uint64_t unix_us() {
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch()).count());
}

Result<> fill_check(v1::Module& module, const RegisterOptions& o) {
  const auto interval = milliseconds(o.check_interval, "--check-interval"), timeout = milliseconds(o.check_timeout, "--check-timeout");
  if (!interval) return tl::unexpected(interval.error());
  if (!timeout) return tl::unexpected(timeout.error());
  if (o.check.empty() && *interval == 0 && *timeout == 0 && o.check_target.empty() && o.rise == 0 && o.fall == 0) return {};
  auto& check = *module.mutable_check();
  if (!o.check.empty()) check.set_kind(static_cast<v1::CheckKind>(index_of(registry::check_kind_names, o.check)));
  check.set_interval_ms(*interval);
  check.set_timeout_ms(*timeout);
  check.set_rise(o.rise);
  check.set_fall(o.fall);
  check.set_target(o.check_target);
  return {};
}

Result<v1::Module> module_of(const RegisterOptions& o) {
  v1::Module m;
  const auto slash = o.name.find('/');
  m.set_name(slash == std::string::npos ? o.name : o.name.substr(slash + 1));
  m.set_service(slash == std::string::npos ? o.service : o.name.substr(0, slash));
  m.set_protocol(bus::to_proto(*parse_protocol(o.protocol)));
  m.set_data_address(o.address);
  m.set_control_address(o.control);
  m.set_version(o.version);
  m.set_colour(o.colour);
  m.set_weight(o.weight);
  m.set_zone(o.zone);
  m.set_priority(o.priority);
  m.set_backup(o.backup);
  m.set_max_connections(o.max_connections);
  if (!o.send_proxy.empty()) m.set_send_proxy(static_cast<v1::SendProxy>(index_of(registry::send_proxy_names, o.send_proxy)));
  m.set_incarnation(o.incarnation);
  for (const auto& label : o.labels) {
    const auto equals = label.find('=');
    if (equals == std::string::npos) return fail(ErrorKind::usage, "--label " + label + ": write KEY=VALUE");
    (*m.mutable_labels())[label.substr(0, equals)] = label.substr(equals + 1);
  }
  const auto lease = milliseconds(o.lease, "--lease");
  if (!lease) return tl::unexpected(lease.error());
  m.set_lease_ms(*lease);
  if (auto ok = fill_check(m, o); !ok) return tl::unexpected(ok.error());
  return m;
}

void say(const std::string& text) { std::cerr << "nlb-registry: " << text << "\n"; }

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

// Signals come by descriptor. They are blocked before gRPC starts its threads, which inherit that: a thread that had TERM open would take
// it, and the process would end without a word to the registry.
class SignalDescriptor {
 public:
  SignalDescriptor() {
    sigset_t wanted;
    sigemptyset(&wanted);
    for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGCHLD}) sigaddset(&wanted, signal);
    pthread_sigmask(SIG_BLOCK, &wanted, &before_);
    descriptor_ = signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
  }
  ~SignalDescriptor() {
    close(descriptor_);
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  SignalDescriptor(const SignalDescriptor&) = delete;
  SignalDescriptor& operator=(const SignalDescriptor&) = delete;
  int get() const { return descriptor_; }
  const sigset_t& before() const { return before_; }

 private:
  sigset_t before_;
  int descriptor_ = -1;
};

// A module's life as the main loop of one process: beats at their time, signals by descriptor, and a child when there is a command.
class Life {
 public:
  Life(const RegisterOptions& options, const cli::Common& common, const SignalDescriptor& signals, rpc::RegistryClient& client, v1::Module module)
      : options_(options), common_(common), signals_(signals), client_(client), module_(std::move(module)) {}

  Result<cli::ExitCode> live() {
    if (auto first = enrol(); !first) return tl::unexpected(first.error());
    if (!options_.command.empty())
      if (auto started = start_child(); !started) return leave(false), tl::unexpected(started.error());
    while (!ending_) {
      wait();
      if (!ending_ && now() >= next_beat_) beat();
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
    next_beat_ = now() + std::chrono::milliseconds(reply->heartbeat_interval_ms());
    return {};
  }

  void beat() {
    v1::HeartbeatRequest request;
    request.set_module_id(id_);
    request.set_lease_id(lease_);
    const auto reply = client_.heartbeat(request);
    next_beat_ = now() + (reply ? Duration(std::chrono::milliseconds(reply->heartbeat_interval_ms())) : retry_after);
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
    const auto left = std::max<std::int64_t>(0, (next_beat_ - now()) / 1ms + 1);
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
    const auto timeout = milliseconds(options_.drain_timeout, "--drain-timeout");
    const bool drains = child_ > 0 && timeout && options_.drain_timeout != "0";
    request.set_drain(drains);
    if (drains) request.set_drain_timeout_ms(*timeout);
    const auto reply = client_.unregister_module(request);
    if (!reply && say_so) say(reply.error().text);
    if (reply && drains && reply->sessions_remaining() > 0) wait_for_drain(*timeout);
  }

  void wait_for_drain(std::uint32_t timeout_ms) {
    const auto deadline = now() + std::chrono::milliseconds(timeout_ms);
    while (now() < deadline && child_ > 0) {
      v1::HeartbeatRequest request;
      request.set_module_id(id_);
      request.set_lease_id(lease_);
      if (const auto reply = client_.heartbeat(request); !reply) return;      // gone from the list: drained
      next_beat_ = now() + 500ms;
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
    const auto deadline = now() + end_patience;
    while (child_ > 0 && now() < deadline) {
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

  const RegisterOptions& options_;
  const cli::Common& common_;
  const SignalDescriptor& signals_;
  rpc::RegistryClient& client_;
  v1::Module module_;
  std::string id_;
  std::uint64_t lease_ = 0, beats_ = 0;
  v1::Wish wish_ = v1::WISH_NONE;
  MonoTime next_beat_;
  pid_t child_ = 0;
  std::optional<int> child_status_;
  bool ending_ = false, registered_elsewhere_ = false;
};

}  // namespace

void add_register(CLI::App& app, RegisterOptions& o) {
  add_client_flags(app, o.client);
  app.add_option("--name", o.name, "the module's name, unique in its service; or SERVICE/NAME")->required()->option_text("NAME");
  app.add_option("--protocol", o.protocol, "what it speaks")->required()->check(CLI::IsMember({"http", "tls", "mysql", "postgresql", "mongodb", "redis", "rtmp"}));
  app.add_option("--address", o.address, "where clients' sessions go: 10.0.1.5:8080, [::1]:6379, unix:/run/x.sock")->required()->option_text("ADDRESS");
  app.add_option("--service", o.service, "the service that it belongs to (default: the protocol's name)")->option_text("NAME");
  app.add_option("--control", o.control, "its own gRPC server, for gRPC health checks")->option_text("ADDRESS");
  app.add_option("--module-version", o.version, "its version, which splits choose between (default: v1)")->option_text("VERSION");
  app.add_option("--colour", o.colour, "blue, green; free text")->option_text("COLOUR");
  app.add_option("--weight", o.weight, "its share; 0 gets no new sessions (default: 100)")->check(CLI::Range(0u, 65535u))->option_text("N");
  app.add_option("--zone", o.zone, "its site")->option_text("ZONE");
  app.add_option("--priority", o.priority, "lower first; a higher tier is for when the lower has nobody")->option_text("N");
  app.add_flag("--backup", o.backup, "used only when no other module of the service is usable");
  app.add_option("--max-connections", o.max_connections, "sessions at the same time (default: 10000)")->option_text("N");
  app.add_option("--send-proxy", o.send_proxy, "the PROXY header that forwarders send it")->check(CLI::IsMember({"none", "v1", "v2"}));
  app.add_option("--label", o.labels, "KEY=VALUE; may be given more than once")->option_text("KEY=VALUE");
  app.add_option("--lease", o.lease, "how long it stays without a heartbeat (default: the registry's)")->option_text("DURATION");
  app.add_option("--incarnation", o.incarnation, "tells processes of one name apart: the greater is the newer (with --keep: the start time)")->option_text("N");
  app.add_option("--check", o.check, "how it is checked (default: the registry's)")->check(CLI::IsMember({"protocol", "tcp", "grpc", "none"}));
  app.add_option("--check-interval", o.check_interval, "between two checks")->option_text("DURATION");
  app.add_option("--check-timeout", o.check_timeout, "for one check")->option_text("DURATION");
  app.add_option("--check-target", o.check_target, "HTTP path, or service of a gRPC check")->option_text("TEXT");
  app.add_option("--rise", o.rise, "good checks in a row that make it usable again")->option_text("N");
  app.add_option("--fall", o.fall, "failed checks in a row that make it unusable")->option_text("N");
  app.add_flag("--keep", o.keep, "stay: beat until a signal comes, then unregister");
  app.add_option("--drain-timeout", o.drain_timeout, "with a command: how long its sessions may go on after TERM; 0: not (default: 30s)")->option_text("DURATION");
  app.add_option("command", o.command, "run this, and keep it registered for as long as it runs; put -- before it")->option_text("COMMAND...");
}

Result<cli::ExitCode> register_module(const RegisterOptions& options, const cli::Common& common) {
  auto module = module_of(options);
  if (!module) return tl::unexpected(module.error());
  const bool stays = options.keep || !options.command.empty();
  if (stays && module->incarnation() == 0) module->set_incarnation(unix_us());
  std::optional<SignalDescriptor> signals;
  if (stays) signals.emplace();
  auto client = connect(options.client);
  if (!client) return tl::unexpected(client.error());
  if (stays) return Life(options, common, *signals, **client, std::move(*module)).live();
  const auto reply = (*client)->register_module(*module);
  if (!reply) return tl::unexpected(reply.error());
  print(*reply, common);
  return cli::ExitCode::done;
}

}  // namespace nlb::registrar
