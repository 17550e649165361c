// The docker target: against an engine that misbehaves, and against a real Podman service (skipped with a note where it can't run).
#include <sys/wait.h>

#include <catch2/catch.hpp>

#include "libnlb/orchestrator/docker_driver.hpp"
#include "tests/integration/orchestrator/child.hpp"
#include "tests/integration/orchestrator/support.hpp"

namespace nlb::orchestrator::test {
namespace {

const std::string support = std::string(NLB_SOURCE_DIR) + "/tests/support/";
MonoTime soon() { return in(std::chrono::seconds(60)); }

DockerOptions options_for(const std::string& socket) {
  DockerOptions out;
  out.service = "web";
  out.version = "v1";
  out.image = "nlbtest:1";
  out.network = "none";
  out.command = {"/busybox", "sh", "-c", "trap 'exit 0' TERM; echo $NLB_INSTANCE $MODE {index}; while :; do /busybox sleep 0.05; done"};
  out.environment = {{"MODE", "m{index}"}};
  out.socket = socket;
  out.stop_grace = std::chrono::seconds(2);
  out.restart_first = std::chrono::milliseconds(300);
  return out;
}

struct Engine {   // one for all cases of this file: an import takes a second
  TempFolder folder;
  std::unique_ptr<ChildProgram> service;
  bool usable = false;

  Engine() : service(std::make_unique<ChildProgram>(std::vector<std::string>{support + "podman_engine.sh", folder.path.string()})) {
    usable = eventually([&] { return std::filesystem::exists(folder / "engine.sock") || std::filesystem::exists(folder / "skip"); }, std::chrono::seconds(60)) &&
             !std::filesystem::exists(folder / "skip");
    if (!usable) WARN("no real engine: " << read_file(folder / "skip"));
  }
  ~Engine() {
    if (usable) podman("rm -af -t 0");
    service.reset();
  }
  int podman(const std::string& arguments) { return std::system((folder / "podman" + " " + arguments + " > " + (folder / "out") + " 2>&1").c_str()); }
  std::string asked(const std::string& arguments) { podman(arguments); return read_file(folder / "out"); }
  DockerOptions options() { return options_for(folder / "engine.sock"); }
};

std::vector<Instance> instances(Driver& driver) {
  const auto seen = driver.observe(soon());
  INFO((seen ? "" : seen.error().text));
  REQUIRE(seen);
  return seen->instances;
}

}  // namespace

TEST_CASE("docker: an engine that hangs, drips, limits, fails or talks nonsense is an error in time, with its kind") {
  const TempFolder folder;
  const auto mode = [&](const std::string& word) { write_file(folder / "mode", word); };
  mode("hang");
  const ChildProgram engine({"/usr/bin/python3", support + "fake_engine.py", folder / "s", folder / "mode"});
  REQUIRE(eventually([&] { return std::filesystem::exists(folder / "s"); }));
  DockerDriver driver(options_for(folder / "s"));
  const auto files = open_files();
  const auto error_in = [&](const std::string& word) {
    mode(word);
    const auto before = std::chrono::steady_clock::now();
    const auto seen = driver.observe(in(std::chrono::milliseconds(1000)));
    CHECK(std::chrono::steady_clock::now() - before < std::chrono::seconds(4));
    REQUIRE_FALSE(seen);
    return seen.error();
  };
  CHECK(error_in("hang").kind == ErrorKind::timeout);
  CHECK(error_in("drip").kind == ErrorKind::timeout);
  CHECK(error_in("garbage").kind == ErrorKind::bad_input);
  CHECK(error_in("endless").kind == ErrorKind::bad_input);
  CHECK(error_in("html").text.find("isn't a list: is it a Docker engine?") != std::string::npos);
  CHECK(error_in("500").text == "can't list containers: the engine refuses: no space left on device");
  CHECK(error_in("429").text.find("rate limited (429)") != std::string::npos);
  CHECK(driver.retry_after() == std::chrono::seconds(9));
  mode("shapes");
  CHECK(instances(driver).size() == 1);
  CHECK(open_files() == files);
}

TEST_CASE("docker: no engine at the socket is an error that names it") {
  DockerDriver driver(options_for("/nonexistent/engine.sock"));
  const auto seen = driver.observe(soon());
  REQUIRE_FALSE(seen);
  CHECK(seen.error().kind == ErrorKind::unavailable);
  CHECK(seen.error().text.find("unix:/nonexistent/engine.sock") != std::string::npos);
}

TEST_CASE("docker: real containers of a Podman service") {
  Engine engine;
  if (!engine.usable) return;
  const auto files = open_files();
  {
    DockerDriver driver(engine.options());
    REQUIRE(driver.observe(soon())->desired == 0);
    const auto made = driver.set(3, "", soon());
    INFO((made ? "" : made.error().text));
    REQUIRE(made);
    auto all = instances(driver);
    REQUIRE(all.size() == 3);
    CHECK(all[1].state == InstanceState::starting);
    driver.mark_ready(all[1].id);
    CHECK(instances(driver)[1].state == InstanceState::ready);
    CHECK(eventually([&] { return engine.asked("logs nlb-" + all[2].id) == all[2].id + " m2 2\n"; }));
    CHECK(engine.asked("inspect -f '{{.Image}}' nlb-" + all[0].id).size() == 65);   // an id, not a name

    const auto token = driver.observe(soon())->token;
    DockerDriver other(engine.options());   // nlb-scale after a restart: it finds what is there
    CHECK(other.observe(soon())->desired == 3);
    REQUIRE(other.remove(all[0].id, std::chrono::seconds(5), soon()));
    CHECK(other.observe(soon())->desired == 2);
    CHECK(driver.set(9, token, soon()).error().kind == ErrorKind::conflict);
    REQUIRE(driver.set(1, "", soon()));   // the ready one stays
    REQUIRE(instances(driver).size() == 1);
    CHECK(instances(driver)[0].id == all[1].id);

    engine.podman("kill -s KILL nlb-" + all[1].id);
    CHECK(eventually([&] { return instances(driver)[0].state == InstanceState::failed; }));
    CHECK(instances(driver)[0].reason.find("Exited (137)") == 0);
    REQUIRE(driver.set(1, "", soon()));   // replaced
    CHECK(instances(driver)[0].state == InstanceState::starting);
    CHECK(instances(driver)[0].id != all[1].id);

    REQUIRE(driver.set(0, "", soon()));
    CHECK(instances(driver).empty());
    CHECK(driver.remove(all[1].id, std::chrono::seconds(1), soon()));   // gone: done
  }
  CHECK(engine.asked("ps -aq").empty());
  CHECK(open_files() == files);

  SECTION("a container that keeps ending is replaced ever later, not in a storm") {
    auto options = engine.options();
    options.command = {"/busybox", "false"};
    options.restart_first = std::chrono::minutes(1);
    DockerDriver driver(options);
    REQUIRE(driver.set(1, "", soon()));
    REQUIRE(eventually([&] { return instances(driver)[0].state == InstanceState::failed; }));
    const auto first = instances(driver)[0].id;
    REQUIRE(driver.set(1, "", soon()));   // the first time at once
    REQUIRE(eventually([&] { return instances(driver)[0].state == InstanceState::failed; }));
    const auto second = instances(driver)[0].id;
    CHECK(second != first);
    REQUIRE(driver.set(1, "", soon()));
    CHECK(instances(driver)[0].id == second);
    REQUIRE(driver.set(0, "", soon()));
    CHECK(engine.asked("ps -aq").empty());
  }
  SECTION("an image that isn't there, and a command that can't run, say so and leave nothing") {
    auto options = engine.options();
    options.image = "localhost/nosuch:7";
    CHECK(DockerDriver(options).set(1, "", soon()).error().text == "can't start a container: image 'localhost/nosuch:7' isn't there: pull or build it first");
    options = engine.options();
    options.command = {"/no-such-program"};
    CHECK(DockerDriver(options).set(1, "", soon()).error().text.find("can't start container web-v1-0-") == 0);
    CHECK(engine.asked("ps -aq").empty());
  }
  SECTION("a container that ignores TERM is killed at the end of its grace") {
    auto options = engine.options();
    options.command = {"/busybox", "sh", "-c", "trap '' TERM; while :; do /busybox sleep 0.05; done"};
    DockerDriver driver(options);
    REQUIRE(driver.set(1, "", soon()));
    const auto before = std::chrono::steady_clock::now();
    CHECK(driver.remove(instances(driver)[0].id, std::chrono::seconds(1), soon()));
    CHECK(std::chrono::steady_clock::now() - before < std::chrono::seconds(15));
    CHECK(engine.asked("ps -aq").empty());
  }
}

}  // namespace nlb::orchestrator::test
