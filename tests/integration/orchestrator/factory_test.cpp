// From configuration to targets: what is wrong is said, and a process target works through the whole guard.
#include <catch2/catch.hpp>

#include "libnlb/orchestrator/factory.hpp"
#include "tests/integration/orchestrator/support.hpp"

namespace nlb::orchestrator::test {
namespace {

std::string problem(const config::ScaleTarget& wanted) {
  const TempFolder folder;
  const auto made = make_target(wanted, "web", "v1", {folder / "state", folder / "log", {}});
  return made ? "" : made.error().text;
}

config::ScaleTarget of_kind(const std::string& kind) {
  config::ScaleTarget out;
  out.kind = kind;
  return out;
}

}  // namespace

TEST_CASE("a target that can't be made says what to correct") {
  CHECK(problem(of_kind("cloud")) == "service 'web': unknown target 'cloud': use process, docker, kubernetes, exec or observe");
  CHECK(problem(of_kind("process")) == "service 'web': target process has no command: add 'command: [program, argument, ...]'");
  CHECK(problem(of_kind("exec")) == "service 'web': target exec has no command: add 'command: [program, argument, ...]'");
  auto docker = of_kind("docker");
  CHECK(problem(docker) == "service 'web': target docker has no image: add 'image: ...'");
  docker.image = "web:1";
  docker.socket = "tcp://10.0.0.1:2375";
  CHECK(problem(docker).find("socket 'tcp://10.0.0.1:2375' isn't a path") != std::string::npos);
  auto kubernetes = of_kind("kubernetes");
  CHECK(problem(kubernetes).find("target kubernetes has no url, and this isn't a pod") != std::string::npos);
  kubernetes.url = "api.example:6443";
  CHECK(problem(kubernetes).find("isn't https:// or http://") != std::string::npos);
  kubernetes.url = "https://api.example:6443/k8s";
  CHECK(problem(kubernetes).find("has a path") != std::string::npos);
  kubernetes.url = "https://api.example:6443";
  kubernetes.ca_file = "/nonexistent/ca.crt";
  CHECK(problem(kubernetes).find("can't read certificates from /nonexistent/ca.crt") != std::string::npos);
  kubernetes.url = "http://127.0.0.1:8001/";   // kubectl proxy
  CHECK(problem(kubernetes).empty());
}

TEST_CASE("observe remembers what it was told and sees nobody") {
  const auto target = make_target(of_kind("observe"), "web", "v1", {});
  REQUIRE(target);
  CHECK(set(**target, 4));
  const auto seen = observe(**target);
  REQUIRE(seen);
  CHECK(seen->desired == 4);
  CHECK_FALSE(seen->counted);
  CHECK_FALSE((*target)->status().alarm);
}

TEST_CASE("a process target from configuration, through the guard: up, ready, one removed, down; threads and descriptors are given back") {
  const TempFolder folder;
  const auto files = open_files();
  {
    auto wanted = of_kind("process");
    wanted.command = {"sleep", "1000"};
    const auto made = make_target(wanted, "web", "v1", {folder / "state", folder / "log", {}});
    INFO((made ? "" : made.error().text));
    REQUIRE(made);
    auto& target = **made;
    REQUIRE(set(target, 3));
    auto seen = observe(target);
    REQUIRE(seen);
    REQUIRE(seen->instances.size() == 3);
    target.mark_ready(seen->instances[0].id);
    CHECK(observe(target)->instances[0].state == InstanceState::ready);
    CHECK(remove(target, seen->instances[1].id, std::chrono::seconds(5)));
    CHECK(observe(target)->desired == 2);
    const auto lost = set(target, 9, seen->token);
    REQUIRE_FALSE(lost);
    CHECK(lost.error().kind == ErrorKind::conflict);
    CHECK(set(target, 0));
    CHECK(eventually([&] { return observe(target)->instances.empty(); }));
    CHECK_FALSE(target.status().alarm);
    CHECK(target.status().verbs[1].conflicts == 1);
  }
  CHECK(zombies() == 0);
  CHECK(open_files() == files);
}

}  // namespace nlb::orchestrator::test
