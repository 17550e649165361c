// How a process becomes a daemon for those without systemd, and what it may do: background, pid file, user, descriptor limit.
// Everything here happens before the first thread.
#pragma once

#include <cstdint>
#include <string>
#include <variant>

#include "libnlb/core/result.hpp"

namespace nlb::daemon {

// A locked file with our process id: a second process with the same file is refused and told the first one's id. A file left by a
// dead process is taken over (the lock is fcntl(2)'s, which dies with its owner and is not inherited by children). Removed at the end.
class PidFile {
 public:
  static Result<PidFile> create(std::string path);   // conflict: somebody runs; unavailable: can't be written
  PidFile(PidFile&& other) noexcept;
  PidFile& operator=(PidFile&&) = delete;
  ~PidFile();
  const std::string& path() const { return path_; }
  void let_go();   // the file stays for whoever takes over, unlocked

 private:
  PidFile(std::string path, int descriptor) : path_(std::move(path)), descriptor_(descriptor) {}
  std::string path_;
  int descriptor_;
};

// The child's end of go_to_background(): tells the waiting parent that all is well and lets go of the terminal. A child that ends
// without ready() makes the parent end with the child's exit code; its error text has gone to the same stderr.
class Background {
 public:
  explicit Background(int descriptor) : descriptor_(descriptor) {}
  Background(Background&& other) noexcept;
  Background& operator=(Background&&) = delete;
  ~Background();
  void ready();   // stdin and stdout become /dev/null, and stderr too unless it is a file

 private:
  int descriptor_;
};
struct ParentDone { int exit_code; };   // in the parent, after the child is ready or has ended: return this from main

Result<std::variant<Background, ParentDone>> go_to_background();

Result<> run_as(const std::string& user_and_group);   // "user" or "user:group"; nothing to do when empty or when we are it already
std::uint64_t raise_descriptor_limit();               // soft limit to the hard one; returns what is in force

}  // namespace nlb::daemon
