#include "libnlb/orchestrator/spawn.hpp"

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <sstream>

extern char** environ;   // NOLINT

namespace nlb::orchestrator {
namespace {

constexpr int exec_wait_ms = 5000;
// What systemd gave us alone, see sd_notify(3) and sd_listen_fds(3).
constexpr std::array<std::string_view, 6> ours_alone = {"NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"};

bool runnable(const std::string& path) { return access(path.c_str(), X_OK) == 0; }

Result<std::string> find_program(const std::string& name) {
  if (name.find('/') != std::string::npos) return name;   // exec itself says what is wrong with it
  const char* path = std::getenv("PATH");
  std::istringstream folders(path ? path : "/usr/local/bin:/usr/bin:/bin");
  for (std::string folder; std::getline(folders, folder, ':');)
    if (runnable(folder + "/" + name)) return folder + "/" + name;
  return fail(ErrorKind::unavailable, "can't start '" + name + "': not in PATH: give its full path or install it");
}

std::vector<std::string> environment_of(const Command& command) {
  std::vector<std::string> out;
  for (char** one = environ; *one; ++one) {
    const std::string_view text = *one;
    const auto name = text.substr(0, text.find('='));
    if (std::find(ours_alone.begin(), ours_alone.end(), name) == ours_alone.end() && !command.environment.contains(std::string(name)))
      out.emplace_back(text);
  }
  for (const auto& [name, value] : command.environment) out.push_back(name + "=" + value);
  return out;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (auto& text : texts) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

struct Pipe { Descriptor read, write; };
Result<Pipe> make_pipe() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0)
    return fail(ErrorKind::unavailable, std::string("can't make a pipe: ") + std::strerror(errno) + ": raise the limit of open files");
  return Pipe{Descriptor(ends[0]), Descriptor(ends[1])};
}

// From here to exec only what signal-safety(7) allows: other threads may have held any lock when we were forked.
struct ChildPlan { const char* program; char** argv; char** environment; std::array<int, 3> standard; int go, verdict; };

void default_signals() {
  sigset_t none;
  sigemptyset(&none);
  for (int number = 1; number < NSIG; ++number) signal(number, SIG_DFL);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

// dup2 onto 0..2 could overwrite a source that is itself below 3: lift all sources out of the way first.
bool place_standard(std::array<int, 3> sources) {
  for (auto& source : sources)
    if ((source = source < 0 ? open("/dev/null", O_RDWR | O_CLOEXEC) : fcntl(source, F_DUPFD_CLOEXEC, 3)) < 3 &&
        (source = fcntl(source, F_DUPFD_CLOEXEC, 3)) < 0)
      return false;
  for (int i = 0; i < 3; ++i)
    if (dup2(sources[static_cast<std::size_t>(i)], i) < 0) return false;
  return true;
}

[[noreturn]] void be_child(ChildPlan plan) {
  char byte = 0;
  setsid();
  default_signals();
  plan.go = fcntl(plan.go, F_DUPFD_CLOEXEC, 3);
  plan.verdict = fcntl(plan.verdict, F_DUPFD_CLOEXEC, 3);
  if (read(plan.go, &byte, 1) != 1) _exit(125);
  if (place_standard(plan.standard)) {
    syscall(SYS_close_range, 3u, ~0u, CLOSE_RANGE_CLOEXEC);
    execve(plan.program, plan.argv, plan.environment);
  }
  const int error = errno;
  if (write(plan.verdict, &error, sizeof error) < 0) _exit(126);
  _exit(127);
}

}  // namespace

Result<Held> Held::start(const Command& command) {
  if (command.argv.empty()) return fail(ErrorKind::config, "there is no command to start: add 'command: [program, argument, ...]'");
  auto program = find_program(command.argv[0]);
  if (!program) return tl::unexpected(program.error());
  auto argv = command.argv, environment = environment_of(command);
  auto argv_pointers = pointers(argv), environment_pointers = pointers(environment);
  auto go = make_pipe(), verdict = make_pipe();
  if (!go || !verdict) return tl::unexpected(go ? verdict.error() : go.error());
  const auto pid = fork();
  if (pid < 0)
    return fail(ErrorKind::unavailable, "can't start '" + command.argv[0] + "': " + std::strerror(errno) + ": raise the limit of processes or memory");
  if (pid == 0) {
    ::close(go->write.get());   // else it would never read end-of-file
    be_child({program->c_str(), argv_pointers.data(), environment_pointers.data(), {command.in, command.out, command.err},
              go->read.get(), verdict->write.get()});
  }
  Held held;
  held.pid_ = pid;
  held.process_ = Descriptor(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));   // our child: the number can't be reused yet
  held.go_ = std::move(go->write);
  held.verdict_ = std::move(verdict->read);
  return held;
}

Held::~Held() {
  if (!process_) return;
  kill(pid_, SIGKILL);
  reap(process_, 0);
}

Result<Descriptor> Held::release() {
  int error = 0;
  if (write(go_.get(), "g", 1) != 1) error = errno;
  pollfd one{verdict_.get(), POLLIN, 0};
  if (poll(&one, 1, exec_wait_ms) > 0 && read(verdict_.get(), &error, sizeof error) <= 0) error = 0;   // end-of-file: executed
  if (error != 0)
    return fail(ErrorKind::unavailable, std::string("can't execute the command: ") + std::strerror(error) + ": check its path and permissions");
  go_.close();
  return std::move(process_);
}

std::string reap(const Descriptor& process, pid_t group) {
  siginfo_t info{};
  const auto id = static_cast<id_t>(process.get());
  if (waitid(P_PIDFD, id, &info, WEXITED | WNOWAIT) != 0) return {};
  if (group > 0) kill(-group, SIGKILL);
  if (waitid(P_PIDFD, id, &info, WEXITED) != 0) return {};
  if (info.si_code == CLD_EXITED) return "exit code " + std::to_string(info.si_status);
  return "signal " + std::to_string(info.si_status) + " (" + strsignal(info.si_status) + ")";
}

std::vector<std::string> replaced(std::vector<std::string> texts, const std::map<std::string, std::string>& values) {
  for (auto& text : texts)
    for (std::size_t at = text.find('{'); at != std::string::npos; at = text.find('{', at)) {
      const auto end = text.find('}', at);
      const auto value = end == std::string::npos ? values.end() : values.find(text.substr(at + 1, end - at - 1));
      if (value == values.end()) {
        ++at;
        continue;
      }
      text.replace(at, end - at + 1, value->second);
      at += value->second.size();
    }
  return texts;
}

}  // namespace nlb::orchestrator
