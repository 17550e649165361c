// nlb-scale is killed with -9, or restarted: the processes live on, and the next one takes them over.
#include <fcntl.h>
#include <sys/wait.h>

#include <catch2/catch.hpp>

#include <nlohmann/json.hpp>

#include "libnlb/orchestrator/process_driver.hpp"
#include "tests/integration/orchestrator/support.hpp"

namespace nlb::orchestrator::test {
namespace {

ProcessOptions options_in(const TempFolder& folder) {
  ProcessOptions out;
  out.service = "db";
  out.version = "v2";
  out.command = {"sh", "-c", "echo $$ >> $PIDS/$NLB_INSTANCE; exec sleep 1000"};
  out.environment = {{"PIDS", folder.path.string()}};
  out.state_folder = folder / "state";
  out.log_folder = folder / "log";
  out.restart_first = std::chrono::milliseconds(20);
  return out;
}

std::vector<Instance> instances(ProcessDriver& driver) { return driver.observe(in(std::chrono::seconds(5)))->instances; }

std::vector<int> pids_of(const TempFolder& folder, const std::string& id) {
  std::ifstream file(folder / id);
  return {std::istream_iterator<int>(file), {}};
}

// A supervisor in a process of its own that starts `count` instances and is then killed.
void supervise_and_die(const TempFolder& folder, std::uint32_t count) {
  const auto child = fork();
  if (child == 0) {
    auto driver = ProcessDriver::start(options_in(folder));
    if (!driver || !(*driver)->set(count, "", in(std::chrono::seconds(10)))) _exit(1);
    for (const auto& one : instances(**driver)) (*driver)->mark_ready(one.id);
    raise(SIGKILL);
  }
  int status = 0;
  waitpid(child, &status, 0);
  REQUIRE(WIFSIGNALED(status));
}

}  // namespace

TEST_CASE("after kill -9 of the supervisor its processes live, are adopted as they were, and end when they shall") {
  const TempFolder folder;
  supervise_and_die(folder, 3);
  const std::vector<std::string> ids = {"db-v2-1", "db-v2-2", "db-v2-3"};
  for (const auto& id : ids) REQUIRE(eventually([&] { return pids_of(folder, id).size() == 1; }));
  const auto gone = pids_of(folder, ids[1])[0];
  kill(gone, SIGKILL);   // one dies while nobody watches
  REQUIRE(eventually([&] { return !lives(gone); }));

  auto driver = ProcessDriver::start(options_in(folder));
  REQUIRE(driver);
  const auto seen = (*driver)->observe(in(std::chrono::seconds(5)));
  REQUIRE(seen->instances.size() == 3);
  CHECK(seen->desired == 3);
  CHECK(seen->instances[0].state == InstanceState::ready);
  CHECK(seen->instances[2].state == InstanceState::ready);
  CHECK(eventually([&] { return pids_of(folder, ids[1]).size() == 2; }));   // it is started again
  CHECK(pids_of(folder, ids[0]).size() == 1);                              // and nobody else
  CHECK(instances(**driver)[1].restarts == 1);

  kill(pids_of(folder, ids[2])[0], SIGKILL);   // an adopted one that dies is noticed though it isn't our child
  CHECK(eventually([&] { return pids_of(folder, ids[2]).size() == 2; }));
  CHECK((*driver)->remove(ids[0], std::chrono::seconds(5), in(std::chrono::seconds(10))));
  CHECK_FALSE(lives(pids_of(folder, ids[0])[0]));
  REQUIRE((*driver)->set(0, "", in(std::chrono::seconds(5))));
  CHECK(eventually([&] { return instances(**driver).empty(); }));
  for (const auto& id : ids)
    for (const int pid : pids_of(folder, id)) CHECK_FALSE(lives(pid));
}

TEST_CASE("a pid that now belongs to somebody else is left alone") {
  const TempFolder folder;
  const auto stranger = fork();
  if (stranger == 0) {
    setsid();
    execlp("sleep", "sleep", "1000", nullptr);
    _exit(1);
  }
  REQUIRE(eventually([&] { return read_file("/proc/" + std::to_string(stranger) + "/comm") == "sleep\n"; }));
  // Start times are counted in hundredths of a second: the process that is started next must not share the stranger's.
  const auto uptime = [] { return std::stod(read_file("/proc/uptime")); };
  REQUIRE(eventually([&, before = uptime()] { return uptime() > before + 0.02; }));
  supervise_and_die(folder, 1);
  REQUIRE(eventually([&] { return pids_of(folder, "db-v2-1").size() == 1; }));
  const auto path = folder / "state/processes-db-v2.json";
  auto state = nlohmann::json::parse(read_file(path));
  const int real = state["processes"][0]["pid"];
  state["processes"][0]["pid"] = stranger;   // as if the kernel had given the number away
  write_file(path, state.dump());
  {
    auto driver = ProcessDriver::start(options_in(folder));
    REQUIRE(driver);
    REQUIRE((*driver)->set(0, "", in(std::chrono::seconds(5))));
    CHECK(eventually([&] { return instances(**driver).empty(); }));
  }
  CHECK(lives(stranger));
  kill(stranger, SIGKILL);
  waitpid(stranger, nullptr, 0);
  kill(real, SIGKILL);
}

TEST_CASE("a supervisor killed at any moment of its work leaves no process that the next one doesn't know") {
  for (int round = 0; round < 8; ++round) {
    const TempFolder folder;
    const auto child = fork();
    if (child == 0) {
      auto driver = ProcessDriver::start(options_in(folder));
      for (std::uint32_t count = 1; driver; ++count) static_cast<void>((*driver)->set(count % 12, "", in(std::chrono::seconds(10))));
      _exit(1);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(7 + 23 * round));   // the moment is the point here
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    auto driver = ProcessDriver::start(options_in(folder));
    REQUIRE(driver);
    REQUIRE((*driver)->set(0, "", in(std::chrono::seconds(5))));
    CHECK(eventually([&] { return instances(**driver).empty(); }));
    CHECK(eventually([&] {
      for (const auto& file : std::filesystem::directory_iterator(folder.path))
        if (file.is_regular_file())
          for (const int pid : pids_of(folder, file.path().filename()))
            if (lives(pid)) return false;
      return true;
    }));
  }
}

TEST_CASE("an orderly end leaves the processes to the next one") {
  const TempFolder folder;
  { auto driver = ProcessDriver::start(options_in(folder)); REQUIRE(driver); REQUIRE((*driver)->set(2, "", in(std::chrono::seconds(5)))); }
  auto driver = ProcessDriver::start(options_in(folder));
  REQUIRE(driver);
  CHECK(instances(**driver).size() == 2);
  CHECK((*driver)->observe(in(std::chrono::seconds(1)))->desired == 2);
  REQUIRE((*driver)->set(0, "", in(std::chrono::seconds(5))));
  CHECK(eventually([&] { return instances(**driver).empty(); }));
  CHECK(zombies() == 0);
}

}  // namespace nlb::orchestrator::test
