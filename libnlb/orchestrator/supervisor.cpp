#include "libnlb/orchestrator/supervisor.hpp"

#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "libnlb/orchestrator/instance_log.hpp"
#include "libnlb/orchestrator/port.hpp"

namespace nlb::orchestrator {
namespace {

constexpr Duration log_period = std::chrono::seconds(1), port_period = std::chrono::milliseconds(100);

InstanceState state_of(const Member& member) {
  if (member.record.stopping) return InstanceState::stopping;
  if (!member.process) return InstanceState::failed;
  return member.record.ready ? InstanceState::ready : InstanceState::starting;
}

}  // namespace

Supervisor::Supervisor(ProcessOptions options, std::string state_path) : options_(std::move(options)), state_path_(std::move(state_path)) {}

Member Supervisor::fresh(ProcessRecord record, MonoTime now) {
  const auto seed = options_.seed + record.index;
  return Member{std::move(record), {}, Backoff(options_.restart_first, options_.restart_most, seed), now, {}, {}, {}};
}

Result<> Supervisor::adopt(MonoTime now) {
  auto loaded = load_process_state(state_path_);
  if (!loaded) return tl::unexpected(loaded.error());
  state_ = std::move(*loaded);
  const auto boot = boot_id();
  for (auto& record : std::exchange(state_.processes, {})) {
    auto member = fresh(std::move(record), now);
    auto& known = member.record;
    if (state_.boot == boot) member.process = open_process(known.pid, known.started);
    if (!member.process && known.pid != 0 && state_.boot == boot) signal_members(known.pid, known.id, SIGKILL);   // its leader died alone
    if (member.process && known.stopping) member.kill_at = now + options_.stop_grace;
    if (!member.process && !known.stopping) crashed(member, "ended while nobody watched", now);
    if (member.process || !known.stopping) members_.push_back(std::move(member));
  }
  state_.boot = boot;
  return save();
}

Result<> Supervisor::save() {
  state_.processes.clear();
  for (const auto& member : members_) state_.processes.push_back(member.record);
  return save_process_state(state_path_, state_);
}

Observation Supervisor::observe(MonoTime now) const {
  Observation out;
  out.desired = state_.desired;
  out.token = token();
  for (const auto& member : members_)
    out.instances.push_back({member.record.id, options_.version, state_of(member), "127.0.0.1:" + std::to_string(member.record.port),
                             now - member.since, member.record.restarts, member.reason});
  return out;
}

Result<> Supervisor::set(std::uint32_t count, MonoTime now) {
  if (count != state_.desired) ++state_.generation;
  state_.desired = count;
  const auto staying = static_cast<std::uint32_t>(
      std::count_if(members_.begin(), members_.end(), [](const Member& member) { return !member.record.stopping; }));
  for (auto have = staying; have < count; ++have)
    if (auto added = add(now); !added) {
      static_cast<void>(save());   // the first error says more
      return added;
    }
  for (const auto& id : who_goes(observe(now).instances, staying > count ? staying - count : 0)) stop(*find(id), options_.stop_grace, now);
  return save();
}

std::uint32_t Supervisor::free_index() const {
  for (std::uint32_t index = 0;; ++index)
    if (std::none_of(members_.begin(), members_.end(), [&](const Member& one) { return one.record.index == index; })) return index;
}

Result<> Supervisor::add(MonoTime now) {
  ProcessRecord record;
  record.id = options_.service + "-" + options_.version + "-" + std::to_string(state_.next_number++);
  record.index = free_index();
  members_.push_back(fresh(std::move(record), now));
  auto started = start(members_.back(), now);
  if (!started) members_.pop_back();
  return started;
}

Command Supervisor::command_of(Member& member) const {
  const auto& record = member.record;
  const std::map<std::string, std::string> values = {{"port", std::to_string(record.port)}, {"service", options_.service},
      {"version", options_.version}, {"index", std::to_string(record.index)}, {"instance", record.id}};
  Command out;
  out.argv = replaced(options_.command, values);
  for (const auto& [name, value] : options_.environment) out.environment[name] = replaced({value}, values)[0];
  out.environment["NLB_PORT"] = values.at("port");
  out.environment["NLB_SERVICE"] = options_.service;
  out.environment["NLB_VERSION"] = options_.version;
  out.environment["NLB_INDEX"] = values.at("index");
  out.environment["NLB_INSTANCE"] = record.id;
  return out;
}

// Two instances that were started together must not get the same port though neither has bound it yet.
Result<std::uint16_t> Supervisor::port_for(const Member& member) const {
  const auto taken = [&](std::uint16_t port) {
    return std::any_of(members_.begin(), members_.end(), [&](const Member& one) { return &one != &member && one.record.port == port; });
  };
  auto port = free_port(member.record.port);
  while (port && taken(*port)) port = free_port();
  return port;
}

Result<> Supervisor::start(Member& member, MonoTime now) {
  auto& record = member.record;
  const auto port = port_for(member);
  auto log = open_log(log_path(member));
  if (!port || !log) return tl::unexpected(port ? log.error() : port.error());
  record.port = *port;
  record.ready = false;
  auto command = command_of(member);
  command.out = command.err = log->get();
  auto held = Held::start(command);
  if (!held) return tl::unexpected(held.error());
  record.pid = held->pid();
  record.started = start_time(record.pid).value_or(0);
  if (auto saved = save(); !saved) return saved;   // the pid is on the disk before it runs
  auto process = held->release();
  if (!process) {
    record.pid = 0;
    return tl::unexpected(process.error());
  }
  member.process = std::move(*process);
  member.since = now;
  member.reason.clear();
  return {};
}

Member* Supervisor::find(const std::string& id) {
  const auto found = std::find_if(members_.begin(), members_.end(), [&](const Member& one) { return one.record.id == id; });
  return found == members_.end() ? nullptr : &*found;
}

void Supervisor::mark_ready(const std::string& id, MonoTime now) {
  auto* member = find(id);
  if (!member || !member->process || member->record.ready || member->record.stopping) return;
  member->record.ready = true;
  member->since = now;
  static_cast<void>(save());   // a lost mark is made again when the instance is seen
}

// Our child's number is ours until it is reaped; of an adopted one only the pidfd is certain.
void Supervisor::signal(const Member& member, int number) const {
  if (!member.process) return;
  siginfo_t info{};
  const bool child = waitid(P_PIDFD, static_cast<id_t>(member.process.get()), &info, WEXITED | WNOHANG | WNOWAIT) == 0;
  if (child) {
    kill(-member.record.pid, number);
    return;
  }
  syscall(SYS_pidfd_send_signal, member.process.get(), number, nullptr, 0);
  signal_members(member.record.pid, member.record.id, number);
}

void Supervisor::withdraw(Member& member) {
  if (member.record.stopping || state_.desired == 0) return;
  --state_.desired;
  ++state_.generation;
}

void Supervisor::stop(Member& member, Duration grace, MonoTime now) {
  const auto kill_at = now + grace;
  if (member.record.stopping && member.kill_at) {
    member.kill_at = std::min(*member.kill_at, kill_at);
    return;
  }
  member.record.stopping = true;
  member.since = now;
  member.restart_at.reset();
  member.kill_at = kill_at;
  signal(member, SIGTERM);
  signal(member, SIGCONT);   // a stopped process hears nothing else
}

void Supervisor::ended(Member& member, MonoTime now) {
  const auto how = reap(member.process, member.record.pid);
  if (how.empty()) signal_members(member.record.pid, member.record.id, SIGKILL);
  member.process.close();
  member.record.pid = 0;
  if (!member.record.stopping) crashed(member, how.empty() ? "ended" : how, now);
}

void Supervisor::crashed(Member& member, const std::string& how, MonoTime now) {
  if (now - member.since >= options_.calm) member.backoff.succeeded();
  member.backoff.failed(now);
  member.record.pid = 0;
  member.record.ready = false;
  member.restart_at = member.backoff.until();
  member.since = now;
  member.reason = how + ", see " + log_path(member);
}

void Supervisor::due(Member& member, MonoTime now) {
  if (member.kill_at && *member.kill_at <= now) {
    signal(member, SIGKILL);
    member.kill_at = now + std::chrono::seconds(1);   // until it is gone: a process in the kernel may take its time
  }
  if (member.restart_at && *member.restart_at <= now) {
    member.restart_at.reset();
    ++member.record.restarts;
    if (auto started = start(member, now); !started) crashed(member, started.error().text, now);
  }
  if (options_.ready_by_port && state_of(member) == InstanceState::starting && accepts(member.record.port)) mark_ready(member.record.id, now);
}

void Supervisor::look(MonoTime now) {
  const auto before = members_.size();
  bool changed = false;
  for (auto& member : members_) {
    if (member.process && is_gone(member.process)) {
      ended(member, now);
      changed = true;
    }
    due(member, now);
  }
  members_.remove_if([](const Member& one) { return one.record.stopping && !one.process; });
  if (now - logs_bounded_ >= log_period) {
    for (const auto& member : members_) bound_log(log_path(member), options_.log_bytes_max);
    logs_bounded_ = now;
  }
  if (changed || members_.size() != before) static_cast<void>(save());   // tried again at the next change; pids are saved before they run
}

std::optional<MonoTime> Supervisor::next_look(MonoTime now) const {
  if (members_.empty()) return std::nullopt;
  auto next = now + log_period;
  for (const auto& member : members_) {
    if (member.kill_at) next = std::min(next, *member.kill_at);
    if (member.restart_at) next = std::min(next, *member.restart_at);
    if (options_.ready_by_port && state_of(member) == InstanceState::starting) next = std::min(next, now + port_period);
  }
  return next;
}

}  // namespace nlb::orchestrator
