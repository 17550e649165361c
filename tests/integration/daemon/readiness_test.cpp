#include <catch2/catch.hpp>

#include <sys/socket.h>
#include <sys/un.h>

#include "libnlb/daemon/readiness.hpp"
#include "support.hpp"

using namespace nlb;
using namespace nlb::daemon;

namespace {

struct Supervisor {   // systemd's end of the notify socket
  test::TempFolder folder;
  int descriptor = socket(AF_UNIX, SOCK_DGRAM, 0);
  std::string path = folder / "notify";
  Supervisor() {
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    path.copy(name.sun_path, sizeof name.sun_path - 1);
    REQUIRE(bind(descriptor, reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0);
  }
  ~Supervisor() { close(descriptor); }
  std::string next() const {
    char text[512];
    const auto got = recv(descriptor, text, sizeof text, MSG_DONTWAIT);
    return got < 0 ? std::string() : std::string(text, static_cast<std::size_t>(got));
  }
};

}  // namespace

TEST_CASE("systemd hears ready, reloading with its time, stopping, status and the watchdog") {
  const Supervisor supervisor;
  Readiness readiness({supervisor.path, 2s, -1});
  readiness.ready("serving 3 listeners");
  CHECK(supervisor.next() == "READY=1\nSTATUS=serving 3 listeners");
  readiness.reloading(MonoTime(1500ms));
  CHECK(supervisor.next() == "RELOADING=1\nMONOTONIC_USEC=1500000\nSTATUS=reloading");
  readiness.stopping();
  CHECK(supervisor.next() == "STOPPING=1\nSTATUS=draining");
  readiness.status("5 sessions left");
  CHECK(supervisor.next() == "STATUS=5 sessions left");
  readiness.watchdog();
  CHECK(supervisor.next() == "WATCHDOG=1");
  CHECK(readiness.watchdog_period() == Duration(1s));
}

TEST_CASE("a script reads one line from --ready-fd and then its end, however often we are ready") {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  Readiness readiness({"", std::nullopt, ends[1]});
  readiness.ready("ready");
  readiness.ready("again");
  char text[64];
  CHECK(read(ends[0], text, sizeof text) == 6);
  CHECK(std::string(text, 6) == "ready\n");
  CHECK(read(ends[0], text, sizeof text) == 0);
  close(ends[0]);
}

TEST_CASE("the environment is read once and not left to children") {
  setenv("NOTIFY_SOCKET", "@abstract", 1);
  setenv("WATCHDOG_USEC", "3000000", 1);
  setenv("WATCHDOG_PID", std::to_string(getpid()).c_str(), 1);
  const auto ours = Readiness::from_environment(-1);
  CHECK(ours.notify_socket == "@abstract");
  CHECK(ours.watchdog == Duration(3s));
  CHECK(getenv("NOTIFY_SOCKET") == nullptr);
  CHECK(getenv("WATCHDOG_USEC") == nullptr);

  setenv("WATCHDOG_USEC", "3000000", 1);
  setenv("WATCHDOG_PID", "1", 1);
  CHECK_FALSE(Readiness::from_environment(-1).watchdog);
}
