#include <catch2/catch.hpp>

#include <csignal>

#include "libnlb/daemon/loop.hpp"
#include "libnlb/daemon/signals.hpp"
#include "support.hpp"

using namespace nlb::daemon;

TEST_CASE("a signal that comes on the way out does not kill a process that has nothing left to do for it") {
  const auto child = test::in_child([] {
    {
      ControlLoop loop;
      const Signals signals(loop, {[] {}, [] {}, [] {}, [] {}, [] {}});
    }
    for (const int late : {SIGHUP, SIGUSR1, SIGUSR2}) raise(late);
    return 0;
  });
  CHECK(test::exit_code_of(child) == 0);
}
