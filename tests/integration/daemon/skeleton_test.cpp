#include <catch2/catch.hpp>

#include <csignal>

#include "libnlb/daemon/http_client.hpp"
#include "libnlb/daemon/log.hpp"
#include "libnlb/daemon/skeleton.hpp"
#include "support.hpp"

using namespace nlb;
using namespace nlb::daemon;
using test::in_child;

namespace {

// A daemon in a child process, silent, with its admin socket in a temporary folder.
struct Fixture {
  test::TempFolder folder;
  config::Config config;
  DaemonSettings settings{.tool = "test", .options = {}, .admin_default_port = 0};
  int ready = -1;
  pid_t child = -1;

  Fixture() {
    config.log.level = "off";
    config.admin.address = Endpoint{Endpoint::Kind::unix_path, 0, {}, folder / "admin.sock"};
  }
  ~Fixture() {
    if (ready >= 0) close(ready);
  }
  void start(const std::function<ServeHooks(Daemon&)>& wire) {
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    child = in_child([&] {
      close(ends[0]);
      settings.options.ready_fd = ends[1];
      auto started = Daemon::start(settings, config);
      if (!started) return static_cast<int>(cli::exit_code_of(started.error().kind));
      if (started->parent) return static_cast<int>(*started->parent);
      const auto ended = started->daemon->serve(wire(*started->daemon));
      const auto code = static_cast<int>(ended ? *ended : cli::exit_code_of(ended.error().kind));
      started->daemon.reset();
      return code;
    });
    close(ends[1]);
    ready = ends[0];
  }
  std::string wait_ready() const {   // "ready\n", or empty when the daemon ended first
    std::string text(16, '\0');
    const auto got = read(ready, text.data(), text.size());
    text.resize(static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    return text;
  }
  HttpAnswer get(std::string_view path) const { return http_get(*config.admin.address, path).value(); }
  void note(const std::string& line) const { std::ofstream(folder / "notes", std::ios::app) << line << "\n"; }
  std::string notes() const { return test::read_file(folder / "notes"); }
  int end_code() const { return test::exit_code_of(child); }
};

}  // namespace

TEST_CASE("the first TERM drains and the daemon ends with 0 when the tool has finished") {
  Fixture f;
  f.start([&](Daemon& daemon) {
    daemon.admin().route("/finish", [&](const AdminRequest&) { daemon.finish(); return AdminResponse{}; });
    return ServeHooks{.drain = [&](MonoTime) { f.note("drain"); }, .stop = [&] { f.note("stop"); }};
  });
  REQUIRE(f.wait_ready() == "ready\n");
  CHECK(f.get("/healthz").status == 200);
  CHECK(f.get("/readyz").status == 200);
  kill(f.child, SIGTERM);
  REQUIRE(test::eventually([&] { return f.get("/readyz").status == 503; }));
  CHECK(f.get("/readyz").body == "draining\n");
  CHECK(f.get("/healthz").status == 200);
  CHECK(f.notes() == "drain\n");
  (void)http_get(*f.config.admin.address, "/finish");
  CHECK(f.end_code() == 0);
  CHECK(f.notes() == "drain\nstop\n");
}

TEST_CASE("a second TERM ends at once, and so does the drain timeout") {
  Fixture f;
  f.start([&](Daemon&) { return ServeHooks{.drain = [&](MonoTime) { f.note("drain"); }, .drain_timeout = 1h}; });
  REQUIRE(f.wait_ready() == "ready\n");
  kill(f.child, SIGINT);
  REQUIRE(test::eventually([&] { return f.notes() == "drain\n"; }));
  kill(f.child, SIGTERM);
  CHECK(f.end_code() == 0);

  Fixture timed;
  timed.start([&](Daemon&) { return ServeHooks{.drain = [](MonoTime) {}, .drain_timeout = 20ms}; });
  REQUIRE(timed.wait_ready() == "ready\n");
  kill(timed.child, SIGTERM);
  CHECK(timed.end_code() == 0);
}

TEST_CASE("HUP reloads and opens the logs anew; USR1 only the logs; a refused reload changes nothing") {
  Fixture f;
  f.start([&](Daemon&) {
    return ServeHooks{.reload = [&]() -> Result<> { f.note("reload"); return fail(ErrorKind::config, "on purpose"); },
                      .reopen_logs = [&] { f.note("reopen"); }};
  });
  REQUIRE(f.wait_ready() == "ready\n");
  kill(f.child, SIGUSR1);
  REQUIRE(test::eventually([&] { return f.notes() == "reopen\n"; }));
  kill(f.child, SIGHUP);
  REQUIRE(test::eventually([&] { return f.notes() == "reopen\nreopen\nreload\n"; }));
  CHECK(f.get("/readyz").status == 200);
  kill(f.child, SIGTERM);
  CHECK(f.end_code() == 0);
}

TEST_CASE("the tool's own reason makes /readyz 503, and a fatal error is the exit code") {
  Fixture f;
  f.start([&](Daemon& daemon) {
    daemon.admin().route("/die", [&](const AdminRequest&) { daemon.fatal({ErrorKind::timeout, "on purpose"}); return AdminResponse{}; });
    return ServeHooks{.not_ready = [] { return std::string("no module is up"); }};
  });
  REQUIRE(f.wait_ready() == "ready\n");
  CHECK(f.get("/readyz").status == 503);
  CHECK(f.get("/readyz").body == "no module is up\n");
  (void)http_get(*f.config.admin.address, "/die");
  CHECK(f.end_code() == 5);
}

TEST_CASE("an admin address in use ends the start with 4 and nothing is said to be ready") {
  Fixture first, second;
  first.start([](Daemon&) { return ServeHooks{}; });
  REQUIRE(first.wait_ready() == "ready\n");
  second.config.admin = first.config.admin;
  second.start([](Daemon&) { return ServeHooks{}; });
  CHECK(second.wait_ready().empty());
  CHECK(second.end_code() == 4);
  kill(first.child, SIGTERM);
  CHECK(first.end_code() == 0);
}

TEST_CASE("--daemon with a pid file: the parent returns when all is up, the child answers and ends on TERM") {
  Fixture f;
  f.settings.options.background = true;
  f.settings.options.pid_file = f.folder / "test.pid";
  f.start([](Daemon&) { return ServeHooks{}; });
  REQUIRE(f.wait_ready() == "ready\n");
  CHECK(f.end_code() == 0);   // the parent
  CHECK(f.get("/readyz").status == 200);
  const auto child = static_cast<pid_t>(std::stol(test::read_file(f.settings.options.pid_file)));
  CHECK(child != f.child);

  Fixture again;
  again.settings.options = f.settings.options;
  again.start([](Daemon&) { return ServeHooks{}; });
  CHECK(again.end_code() == 6);   // the pid file is held

  kill(child, SIGTERM);
  CHECK(test::eventually([&] { return !std::filesystem::exists(f.settings.options.pid_file); }));
}

TEST_CASE("an unknown log level is a configuration error that names the levels") {
  const auto refused = log::set_level("loud");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().kind == ErrorKind::config);
  CHECK(refused.error().text == "log.level \"loud\" is unknown: the levels are trace, debug, info, warn, error and off: choose one");
}
