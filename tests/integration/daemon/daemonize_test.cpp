#include <catch2/catch.hpp>

#include <csignal>

#include <sys/resource.h>

#include "libnlb/daemon/daemonize.hpp"
#include "support.hpp"

using namespace nlb;
using namespace nlb::daemon;
using test::exit_code_of;
using test::in_child;

TEST_CASE("a second process with the same pid file is refused and told who runs") {
  test::TempFolder folder;
  const auto path = folder / "nlb.pid";
  int hold[2];
  REQUIRE(pipe(hold) == 0);
  const auto first = in_child([&] {
    close(hold[1]);
    const auto file = PidFile::create(path);
    char byte = 0;
    return file && read(hold[0], &byte, 1) == 0 ? 0 : 1;
  });
  close(hold[0]);
  REQUIRE(test::eventually([&] { return test::read_file(path) == std::to_string(first) + "\n"; }));
  {
    const auto second = PidFile::create(path);
    REQUIRE_FALSE(second);
    CHECK(second.error().kind == ErrorKind::conflict);
    CHECK(second.error().text == "pid file " + path + " is held: process " + std::to_string(first) +
                                     " runs with it: stop that one first, or name another with --pid-file");
  }
  kill(first, SIGKILL);   // leaves its file behind
  CHECK(exit_code_of(first) == 1000 + SIGKILL);
  close(hold[1]);
  REQUIRE(std::filesystem::exists(path));
  {
    const auto third = PidFile::create(path);
    REQUIRE(third);
    CHECK(test::read_file(path) == std::to_string(getpid()) + "\n");
  }
  CHECK_FALSE(std::filesystem::exists(path));
}

TEST_CASE("a pid file in a folder that is not there says so") {
  const test::TempFolder folder;
  const auto missing = folder / "missing/nlb.pid";
  const auto file = PidFile::create(missing);
  REQUIRE_FALSE(file);
  CHECK(file.error().text == "pid file " + missing + " can't be written: No such file or directory: name another with --pid-file");
}

TEST_CASE("--daemon: the parent ends with 0 when the child is ready, and the child lives on without a terminal") {
  test::TempFolder folder;
  const auto parent = in_child([&] {
    auto forked = go_to_background();
    if (const auto* done = std::get_if<ParentDone>(&*forked)) return done->exit_code;
    auto background = std::move(std::get<Background>(*forked));
    background.ready();
    std::error_code error;
    std::ofstream(folder / "child") << std::filesystem::read_symlink("/proc/self/fd/0", error).string() << " " << (getsid(0) == getpid());
    std::filesystem::rename(folder / "child", folder / "done");
    return 0;
  });
  CHECK(exit_code_of(parent) == 0);
  REQUIRE(test::eventually([&] { return std::filesystem::exists(folder / "done"); }));
  CHECK(test::read_file(folder / "done") == "/dev/null 1");
}

TEST_CASE("--daemon: the parent ends with the child's exit code when the child is never ready") {
  CHECK(exit_code_of(in_child([] {
          auto forked = go_to_background();
          if (const auto* done = std::get_if<ParentDone>(&*forked)) return done->exit_code;
          return 4;
        })) == 4);
  CHECK(exit_code_of(in_child([] {
          close(STDERR_FILENO);
          auto forked = go_to_background();
          if (const auto* done = std::get_if<ParentDone>(&*forked)) return done->exit_code;
          raise(SIGKILL);
          return 0;
        })) == 70);
}

TEST_CASE("run_as becomes the user for good; an unknown one is a configuration error") {
  CHECK(run_as("nobody-of-this-name").error().kind == ErrorKind::config);
  if (geteuid() != 0) {
    WARN("becoming another user needs root: skipped");
    return;
  }
  CHECK(exit_code_of(in_child([] { return run_as("nobody") && getuid() != 0 && setuid(0) != 0 ? 0 : 1; })) == 0);
}

TEST_CASE("the descriptor limit is raised to the hard limit") {
  CHECK(exit_code_of(in_child([] {
          rlimit limit{};
          getrlimit(RLIMIT_NOFILE, &limit);
          const rlimit low{64, limit.rlim_max};
          setrlimit(RLIMIT_NOFILE, &low);
          return raise_descriptor_limit() == limit.rlim_max ? 0 : 1;
        })) == 0);
}
