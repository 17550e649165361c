// Real processes: started, ready, crashed, stopped, removed; nothing left behind.
#include <catch2/catch.hpp>

#include <map>

#include "libnlb/orchestrator/process_driver.hpp"
#include "libnlb/orchestrator/spawn.hpp"
#include "tests/integration/orchestrator/support.hpp"

namespace nlb::orchestrator::test {
namespace {

const std::string write_pid = "echo $$ >> $PIDS/$NLB_INSTANCE; ";
const std::string forever = "while :; do sleep 1000 & wait $!; done";

ProcessOptions options_in(const TempFolder& folder, const std::string& script) {
  ProcessOptions out;
  out.service = "web";
  out.version = "v1";
  out.command = {"sh", "-c", write_pid + script};
  out.environment = {{"PIDS", folder.path.string()}};
  out.state_folder = folder / "state";
  out.log_folder = folder / "log";
  out.stop_grace = std::chrono::seconds(5);
  out.restart_first = std::chrono::milliseconds(20);
  out.restart_most = std::chrono::milliseconds(200);
  return out;
}

std::unique_ptr<ProcessDriver> start(ProcessOptions options) {
  auto driver = ProcessDriver::start(std::move(options));
  INFO((driver ? "" : driver.error().text));
  REQUIRE(driver);
  return std::move(*driver);
}

std::vector<Instance> instances(ProcessDriver& driver) { return driver.observe(in(std::chrono::seconds(5)))->instances; }

std::vector<int> pids_of(const TempFolder& folder, const std::string& id) {   // every life of this instance
  std::ifstream file(folder / id);
  return {std::istream_iterator<int>(file), {}};
}

int pid_of(const TempFolder& folder, const std::string& id) {
  REQUIRE(eventually([&] { return !pids_of(folder, id).empty(); }));
  return pids_of(folder, id).back();
}

bool set(ProcessDriver& driver, std::uint32_t count) { return driver.set(count, "", in(std::chrono::seconds(10))).has_value(); }
bool empties(ProcessDriver& driver) {
  return set(driver, 0) && eventually([&] { return instances(driver).empty(); });
}

}  // namespace

TEST_CASE("processes start with their own port, names and session, and set(0) leaves no process, zombie or descriptor") {
  const TempFolder folder;
  const auto files = open_files();
  {
    auto options = options_in(folder, "echo port={} $1 $NLB_PORT $NLB_SERVICE $NLB_VERSION $NLB_INDEX $MODE; " + forever);
    options.command.insert(options.command.end(), {"sh", "{port}/{service}/{version}/{index}/{unknown}"});
    options.environment["MODE"] = "m{index}";
    const auto driver = start(options);
    REQUIRE(set(*driver, 3));
    const auto all = instances(*driver);
    REQUIRE(all.size() == 3);
    std::map<std::string, int> ports;
    for (std::size_t i = 0; i < 3; ++i) {
      const auto port = all[i].address.substr(all[i].address.find(':') + 1), index = std::to_string(i);
      ++ports[port];
      CHECK(all[i].state == InstanceState::starting);
      const auto pid = pid_of(folder, all[i].id);
      CHECK(getsid(pid) == pid);
      CHECK(eventually([&] {
        return read_file(folder / ("log/" + all[i].id + ".log")) ==
               "port={} " + port + "/web/v1/" + index + "/{unknown} " + port + " web v1 " + index + " m" + index + "\n";
      }));
    }
    CHECK(ports.size() == 3);
    REQUIRE(empties(*driver));
    for (const auto& one : all) CHECK_FALSE(lives(pid_of(folder, one.id)));
    CHECK(zombies() == 0);
  }
  CHECK(open_files() == files);
}

TEST_CASE("an instance is ready when its registration is reported, and not again after a crash until it registers again") {
  const TempFolder folder;
  const auto driver = start(options_in(folder, forever));
  REQUIRE(set(*driver, 1));
  const auto id = instances(*driver)[0].id;
  driver->mark_ready(id);
  CHECK(instances(*driver)[0].state == InstanceState::ready);
  kill(pid_of(folder, id), SIGKILL);
  CHECK(eventually([&] { return instances(*driver)[0].restarts == 1 && instances(*driver)[0].state == InstanceState::starting; }));
  CHECK(empties(*driver));
}

TEST_CASE("an instance without registration is ready when its port accepts") {
  const TempFolder folder;
  auto options = options_in(folder, "exec /usr/bin/python3 -c 'import os,socket\ns=socket.create_server((\"127.0.0.1\",int(os.environ[\"NLB_PORT\"])))\nwhile 1: s.accept()'");
  options.ready_by_port = true;
  const auto driver = start(options);
  REQUIRE(set(*driver, 2));
  CHECK(eventually([&] {
    const auto all = instances(*driver);
    return all[0].state == InstanceState::ready && all[1].state == InstanceState::ready;
  }));
  CHECK(empties(*driver));
}

TEST_CASE("a crash loop is restarted ever later, shown as failed with its reason, and leaves no zombie") {
  const TempFolder folder;
  const auto driver = start(options_in(folder, "exit 7"));
  REQUIRE(set(*driver, 1));
  const auto id = instances(*driver)[0].id;
  CHECK(eventually([&] { return pids_of(folder, id).size() >= 5; }));
  CHECK(eventually([&] {
    const auto one = instances(*driver)[0];
    return one.state == InstanceState::failed && one.reason == "exit code 7, see " + (folder / ("log/" + id + ".log"));
  }));
  CHECK(empties(*driver));
  CHECK(zombies() == 0);
}

TEST_CASE("whoever ignores TERM is killed at the end of its grace, with its whole group") {
  const TempFolder folder;
  const auto driver = start(options_in(folder, "trap '' TERM; (trap '' TERM; sh -c 'echo $$ >> $PIDS/child; exec sleep 1000') & " + forever));
  REQUIRE(set(*driver, 1));
  const auto id = instances(*driver)[0].id;
  const auto leader = pid_of(folder, id), child = pid_of(folder, "child");
  const auto before = std::chrono::steady_clock::now();
  CHECK(driver->remove(id, std::chrono::milliseconds(300), in(std::chrono::seconds(10))));
  CHECK(std::chrono::steady_clock::now() - before >= std::chrono::milliseconds(300));
  CHECK_FALSE(lives(leader));
  CHECK(eventually([&] { return !lives(child); }));
  CHECK(instances(*driver).empty());
  CHECK(driver->observe(in(std::chrono::seconds(1)))->desired == 0);   // it isn't replaced
  CHECK(driver->remove(id, std::chrono::seconds(1), in(std::chrono::seconds(1))));   // again: done
}

TEST_CASE("a leader that dies takes the children it left in its group with it") {
  const TempFolder folder;
  const auto driver = start(options_in(folder, "sh -c 'echo $$ >> $PIDS/child; exec sleep 1000' & while [ ! -s $PIDS/child ]; do :; done; exit 3"));
  REQUIRE(set(*driver, 1));
  const auto child = pid_of(folder, "child");
  CHECK(eventually([&] { return !lives(child); }));
  CHECK(empties(*driver));
}

TEST_CASE("set() below the count takes failed and starting ones first, and a lost compare-and-set changes nothing") {
  const TempFolder folder;
  const auto driver = start(options_in(folder, forever));
  REQUIRE(set(*driver, 3));
  auto all = instances(*driver);
  driver->mark_ready(all[0].id);
  driver->mark_ready(all[2].id);
  const auto token = driver->observe(in(std::chrono::seconds(1)))->token;
  REQUIRE(driver->set(2, token, in(std::chrono::seconds(5))));
  CHECK(eventually([&] { return instances(*driver).size() == 2; }));
  CHECK(instances(*driver)[0].id == all[0].id);
  CHECK(instances(*driver)[1].id == all[2].id);
  const auto lost = driver->set(9, token, in(std::chrono::seconds(5)));
  REQUIRE_FALSE(lost);
  CHECK(lost.error().kind == ErrorKind::conflict);
  CHECK(instances(*driver).size() == 2);
  REQUIRE(set(*driver, 3));
  CHECK(instances(*driver)[2].id == "web-v1-4");   // ids are never used twice
  CHECK(empties(*driver));
}

TEST_CASE("a command that doesn't exist is an error that says so, and nothing is left") {
  const TempFolder folder;
  auto options = options_in(folder, "");
  options.command = {"nlb-no-such-program"};
  const auto driver = start(options);
  const auto result = driver->set(2, "", in(std::chrono::seconds(5)));
  REQUIRE_FALSE(result);
  CHECK(result.error().text == "can't start 'nlb-no-such-program': not in PATH: give its full path or install it");
  options.command = {folder / "absent"};
  options.version = "v2";
  const auto other = start(options)->set(2, "", in(std::chrono::seconds(5)));
  CHECK(other.error().text == "can't execute the command: No such file or directory: check its path and permissions");
  CHECK(instances(*driver).empty());
  CHECK(zombies() == 0);
}

TEST_CASE("a log stays near its bound, and its end is kept") {
  const TempFolder folder;
  auto options = options_in(folder, "i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); done; " + forever);
  options.log_bytes_max = 20000;
  const auto driver = start(options);
  REQUIRE(set(*driver, 1));
  const auto log = folder / ("log/" + instances(*driver)[0].id + ".log");
  CHECK(eventually([&] { return std::filesystem::exists(log + ".1") && std::filesystem::file_size(log) <= 20000; }));
  CHECK(empties(*driver));
}

TEST_CASE("two supervisors of the same processes: the second is refused") {
  const TempFolder folder;
  const auto driver = start(options_in(folder, forever));
  const auto second = ProcessDriver::start(options_in(folder, forever));
  REQUIRE_FALSE(second);
  CHECK(second.error().text.find("another nlb-scale supervises these processes") == 0);
}

TEST_CASE("a damaged state file is refused with advice") {
  const TempFolder folder;
  std::filesystem::create_directories(folder / "state");
  write_file(folder / "state/processes-web-v1.json", "{\"boot\": 3");
  const auto driver = ProcessDriver::start(options_in(folder, forever));
  REQUIRE_FALSE(driver);
  CHECK(driver.error().kind == ErrorKind::bad_input);
}

TEST_CASE("a child that waits for its release ends when its parent forgets it") {
  const auto before = open_files();
  {
    const auto held = Held::start({{"sleep", "1000"}, {}, -1, -1, -1});
    REQUIRE(held);
    CHECK(lives(held->pid()));
  }
  CHECK(zombies() == 0);
  CHECK(open_files() == before);
}

}  // namespace nlb::orchestrator::test
