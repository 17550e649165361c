// The parts that need a real terminal, on a pseudo terminal.
#include <catch2/catch.hpp>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <string>

#include "libnlb/cli/live.hpp"
#include "libnlb/cli/text.hpp"

using namespace nlb::cli;

namespace {

struct Terminal {
  int outer = posix_openpt(O_RDWR | O_NOCTTY), inner = -1;
  Terminal() {
    REQUIRE(grantpt(outer) == 0);
    REQUIRE(unlockpt(outer) == 0);
    inner = open(ptsname(outer), O_RDWR | O_NOCTTY);
    const winsize size{5, 20, 0, 0};
    ioctl(inner, TIOCSWINSZ, &size);
    unsetenv("COLUMNS");
    unsetenv("LINES");
  }
  ~Terminal() {
    close(inner);
    close(outer);
  }
  std::string output() const {   // what has been written so far; a pseudo terminal passes it on at once
    std::string text;
    char buffer[4096];
    pollfd ready{outer, POLLIN, 0};
    while (poll(&ready, 1, text.empty() ? 2000 : 50) == 1 && (ready.revents & POLLIN)) text.append(buffer, static_cast<std::size_t>(std::max<ssize_t>(0, read(outer, buffer, sizeof buffer))));
    return text;
  }
};

}  // namespace

TEST_CASE("a live view draws over itself, cut to the terminal, and gives the cursor back") {
  Terminal terminal;
  CHECK(terminal_width(terminal.inner) == 20);
  CHECK(terminal_height(terminal.inner) == 5);
  {
    LiveView view(terminal.inner);
    CHECK(view.in_place());
    view.draw("one\ntwo");
    view.draw("a line that is much too long\n2\n3\n4\n5\n6\n");
  }
  const auto text = terminal.output();
  CHECK(text.starts_with("\x1b[?25l"));
  CHECK(text.find("\x1b[2A\r") != std::string::npos);
  CHECK(text.find("a line that is much…") != std::string::npos);
  CHECK(text.find("5\x1b[K") == std::string::npos);
  CHECK(text.ends_with("\x1b[?25h"));
}

TEST_CASE("a signal that ends the program gives the cursor back first") {
  Terminal terminal;
  const auto child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    for (const int signal_number : {SIGINT, SIGTERM, SIGHUP}) signal(signal_number, SIG_DFL);   // not the test program's own
    LiveView view(terminal.inner);
    view.draw("x");
    raise(SIGTERM);
    _exit(0);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(WIFSIGNALED(status));
  CHECK(WTERMSIG(status) == SIGTERM);
  CHECK(terminal.output().ends_with("\x1b[?25h"));
}

TEST_CASE("without a terminal a view appends what changed, and a bar is silent") {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  {
    LiveView view(ends[1]);
    view.draw("one");
    view.draw("one");
    view.draw("two\n");
    ProgressBar progress("x", 10, ends[1]);
    progress.update(5, 1);
  }
  close(ends[1]);
  char buffer[256];
  const auto n = read(ends[0], buffer, sizeof buffer);
  close(ends[0]);
  CHECK(std::string(buffer, static_cast<std::size_t>(std::max<ssize_t>(0, n))) == "one\ntwo\n");
}
