#include "libnlb/daemon/successor.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

namespace nlb::daemon {
namespace {

std::vector<std::string> own_arguments() {
  std::ifstream file("/proc/self/cmdline", std::ios::binary);
  std::vector<std::string> all;
  for (std::string one; std::getline(file, one, '\0');) all.push_back(one);
  return all;
}

// As a shell would find it. Not /proc/self/exe: a package or a symbolic link may have put another version there since.
std::string program_of(const std::string& name) {
  std::error_code error;
  if (name.find('/') != std::string::npos) return std::filesystem::absolute(name, error).string();
  const char* path = std::getenv("PATH");
  std::istringstream folders(path != nullptr ? path : "");
  for (std::string folder; std::getline(folders, folder, ':');)
    if (const auto candidate = folder + "/" + name; access(candidate.c_str(), X_OK) == 0) return candidate;
  return std::filesystem::read_symlink("/proc/self/exe", error).string();
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> all;
  for (auto& text : texts) all.push_back(text.data());
  all.push_back(nullptr);
  return all;
}

[[noreturn]] void become(const char* program, char** arguments, char** environment, int keep) {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  fcntl(keep, F_SETFD, 0);
  execve(program, arguments, environment);
  _exit(70);
}

}  // namespace

OwnCommand OwnCommand::read() {
  OwnCommand own;
  own.arguments_ = own_arguments();
  if (own.arguments_.empty()) own.arguments_.push_back("nlb");
  own.program_ = program_of(own.arguments_.front());
  return own;
}

std::vector<std::string> OwnCommand::lasting(const std::vector<std::string>& arguments) {
  std::vector<std::string> all;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const auto& one = arguments[i];
    if (one == "--daemon" || one == "--takeover" || one.starts_with("--ready-fd=") || one.starts_with("--takeover-fd=")) continue;
    if (one == "--ready-fd" || one == "--takeover-fd") ++i;   // and its value
    else all.push_back(one);
  }
  return all;
}

Result<Channel> OwnCommand::start_successor(const std::vector<std::string>& environment) const {
  if (getpid() == 1)
    return fail(ErrorKind::refused, "this is process 1, whose end is the container's end: start a new container instead, or change the "
                                    "configuration with HUP");
  auto ends = Channel::pair();
  if (!ends) return tl::unexpected(ends.error());
  auto texts = lasting(arguments_);
  texts.insert(texts.begin() + 1, {"--takeover-fd", std::to_string(ends->second.number())});
  std::vector<std::string> variables = environment;
  for (char** one = environ; *one != nullptr; ++one) variables.emplace_back(*one);
  auto argv = pointers(texts), envp = pointers(variables);
  // Twice, so that the successor is nobody's child but the manager's; between fork and exec nothing that could need a lock.
  const pid_t between = fork();
  if (between == 0) {
    const pid_t successor = fork();
    if (successor == 0) become(program_.c_str(), argv.data(), envp.data(), ends->second.number());
    _exit(successor < 0 ? 70 : 0);
  }
  int status = 0;
  if (between < 0 || (waitpid(between, &status, 0) == between && status != 0))
    return fail(ErrorKind::unavailable, std::string("can't start a process: ") + std::strerror(errno));
  return std::move(ends->first);
}

}  // namespace nlb::daemon
