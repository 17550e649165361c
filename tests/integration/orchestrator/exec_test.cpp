// The exec target with small shell commands.
#include <catch2/catch.hpp>

#include <sstream>

#include <nlohmann/json.hpp>

#include "libnlb/orchestrator/exec_driver.hpp"
#include "tests/integration/orchestrator/support.hpp"

namespace nlb::orchestrator::test {
namespace {

ExecDriver shell(const std::string& script, std::map<std::string, std::string> environment = {}) {
  return ExecDriver({"web", "v1", {"sh", "-c", script, "{service}", "{action}"}, std::move(environment)});
}
MonoTime soon() { return in(std::chrono::seconds(10)); }

}  // namespace

TEST_CASE("exec: the question comes as JSON and as environment, the answer is read") {
  const TempFolder folder;
  auto driver = shell("cat > $OUT/$NLB_ACTION; echo $NLB_SERVICE $NLB_VERSION $NLB_COUNT $NLB_INSTANCE $NLB_GRACE_SECONDS $0 $1 >> $OUT/env; "
                      "[ $NLB_ACTION != observe ] || echo '{\"instances\":[{\"id\":\"a\",\"state\":\"ready\",\"address\":\"10.0.0.7:80\"},"
                      "{\"id\":\"b\",\"state\":\"failed\",\"reason\":\"no disk\"}],\"desired\":2,\"token\":\"7\"}'", {{"OUT", folder.path.string()}});
  const auto seen = driver.observe(soon());
  INFO((seen ? "" : seen.error().text));
  REQUIRE(seen);
  CHECK(seen->instances.size() == 2);
  CHECK(seen->instances[0].state == InstanceState::ready);
  CHECK(seen->instances[0].address == "10.0.0.7:80");
  CHECK(seen->instances[1].reason == "no disk");
  CHECK(seen->desired == 2);
  CHECK(seen->token == "7");
  CHECK(driver.set(3, "7", soon()));
  CHECK(driver.remove("a", std::chrono::milliseconds(1500), soon()));
  CHECK(nlohmann::json::parse(read_file(folder / "set")) == nlohmann::json{{"action", "set"}, {"count", 3}, {"service", "web"}, {"token", "7"}, {"version", "v1"}});
  CHECK(nlohmann::json::parse(read_file(folder / "remove"))["grace_seconds"] == 2);
  CHECK(read_file(folder / "env") == "web v1 web observe\nweb v1 3 web set\nweb v1 a 2 web remove\n");
}

TEST_CASE("exec: failures carry the command's own words and the right kind") {
  CHECK(shell("echo first >&2; echo quota is used up >&2; exit 4").set(1, "", soon()).error().text ==
        "command 'sh' (set) ended with exit code 4: quota is used up");
  CHECK(shell("echo '{\"error\":\"conflict\",\"text\":\"changed\"}'; exit 1").set(1, "", soon()).error().kind == ErrorKind::conflict);
  CHECK(shell("echo '{\"error\":\"refused\",\"text\":\"no\"}'").set(1, "", soon()).error().kind == ErrorKind::refused);
  CHECK(shell("echo hello").observe(soon()).error().kind == ErrorKind::bad_input);
  CHECK(shell("echo '{}'").observe(soon()).error().text.find("has no list 'instances'") != std::string::npos);
  CHECK(shell("echo '{\"instances\":[{\"id\":\"a\",\"state\":\"fine\"}]}'").observe(soon()).error().text.find("state 'fine'") != std::string::npos);
  CHECK(shell("yes").observe(soon()).error().text.find("it wrote more than 1.0 MiB") != std::string::npos);
}

TEST_CASE("exec: a command that hangs is killed with its children at the deadline; nothing is left") {
  const TempFolder folder;
  const auto files = open_files();
  auto driver = shell("sleep 1000 & echo $$ $! > $OUT/pids; wait", {{"OUT", folder.path.string()}});
  const auto before = std::chrono::steady_clock::now();
  const auto seen = driver.observe(in(std::chrono::milliseconds(400)));
  REQUIRE_FALSE(seen);
  CHECK(seen.error().kind == ErrorKind::timeout);
  CHECK(std::chrono::steady_clock::now() - before < std::chrono::seconds(5));
  std::istringstream pids(read_file(folder / "pids"));
  for (int pid = 0; pids >> pid;) CHECK(eventually([&] { return !lives(pid); }));
  CHECK(zombies() == 0);
  CHECK(open_files() == files);
}

TEST_CASE("exec: a command that never reads its input, or leaves a child with its output open, does no harm") {
  CHECK(shell("exec 0<&-; exit 0").set(1, std::string(500000, 'x').substr(0, 100000), soon()).has_value());
  const auto before = std::chrono::steady_clock::now();
  CHECK(shell("sleep 1000 & echo '{\"instances\":[]}'").observe(soon()));
  CHECK(std::chrono::steady_clock::now() - before < std::chrono::seconds(8));
}

}  // namespace nlb::orchestrator::test
