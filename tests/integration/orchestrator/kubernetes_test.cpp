// The kubernetes target against a strict stub of the API over TLS.
#include <catch2/catch.hpp>

#include <nlohmann/json.hpp>

#include "libnlb/orchestrator/kubernetes_driver.hpp"
#include "tests/integration/orchestrator/child.hpp"
#include "tests/integration/orchestrator/support.hpp"

namespace nlb::orchestrator::test {
namespace {

using nlohmann::json;

struct Cluster {
  TempFolder folder;
  ChildProgram stub{{"/usr/bin/python3", std::string(NLB_SOURCE_DIR) + "/tests/support/kube_stub.py", folder.path.string()}, folder / "stub.log"};

  Cluster() {
    write_file(folder / "token", "secret\n");
    REQUIRE(eventually([&] { return std::filesystem::exists(folder / "port"); }));
  }
  KubernetesOptions options() {
    return {*parse_endpoint("127.0.0.1:" + read_file(folder / "port")), true, "prod", "web", "v1", folder / "token", folder / "ca.crt", false};
  }
  std::unique_ptr<KubernetesDriver> driver() { return std::move(*KubernetesDriver::open(options())); }
  void control(const json& wanted) { write_file(folder / "control.json", wanted.dump()); }
  std::vector<json> requests(const std::string& method) {
    std::vector<json> out;
    std::ifstream log(folder / "log.ndjson");
    for (std::string line; std::getline(log, line);)
      if (auto one = json::parse(line); one["method"] == method) out.push_back(one);
    return out;
  }
};

MonoTime soon() { return in(std::chrono::seconds(10)); }

std::vector<std::string> ids(Driver& driver) {
  std::vector<std::string> out;
  const auto seen = driver.observe(soon());
  REQUIRE(seen);
  for (const auto& one : seen->instances) out.push_back(one.id);
  return out;
}

}  // namespace

TEST_CASE("kubernetes: counts are set by compare-and-set, and pods are seen over all pages") {
  Cluster cluster;
  const auto driver = cluster.driver();
  const auto empty = driver->observe(soon());
  REQUIRE(empty);
  CHECK(empty->desired == 0);
  REQUIRE(driver->set(5, empty->token, soon()));
  const auto seen = driver->observe(soon());
  REQUIRE(seen);
  CHECK(seen->desired == 5);
  REQUIRE(seen->instances.size() == 5);
  CHECK(seen->instances[0].state == InstanceState::ready);
  CHECK(seen->instances[0].address == "10.1.0.1");
  const auto lost = driver->set(9, empty->token, soon());
  REQUIRE_FALSE(lost);
  CHECK(lost.error().kind == ErrorKind::conflict);
  CHECK(driver->observe(soon())->desired == 5);
  CHECK(driver->set(3, "", soon()));
  CHECK(driver->observe(soon())->desired == 3);
}

TEST_CASE("kubernetes: without a token to compare, conflicts are tried again with what is true now") {
  Cluster cluster;
  cluster.control({{"conflicts", 3}});
  CHECK(cluster.driver()->set(2, "", soon()));
  CHECK(cluster.requests("PUT").size() == 4);
  cluster.control({{"conflicts", 100}});
  const auto lost = cluster.driver()->set(7, "", soon());
  REQUIRE_FALSE(lost);
  CHECK(lost.error().kind == ErrorKind::conflict);
}

TEST_CASE("kubernetes: the chosen pod goes, not the youngest, and a repeated removal takes only one") {
  Cluster cluster;
  const auto driver = cluster.driver();
  REQUIRE(driver->set(4, "", soon()));
  REQUIRE(ids(*driver).size() == 4);
  cluster.control({{"slow_controller", true}});
  CHECK(driver->remove("web-1", std::chrono::seconds(30), soon()));
  CHECK(driver->remove("web-1", std::chrono::seconds(30), soon()));   // its answer might have been lost
  CHECK(driver->observe(soon())->desired == 3);
  cluster.control({});
  CHECK(ids(*driver) == std::vector<std::string>{"web-0", "web-2", "web-3"});
  CHECK(driver->remove("web-1", std::chrono::seconds(30), soon()));   // gone: done
  CHECK(driver->observe(soon())->desired == 3);
  CHECK(cluster.requests("PATCH").size() == 1);
}

TEST_CASE("kubernetes: a removal that fails leaves no mark on its pod") {
  Cluster cluster;
  const auto driver = cluster.driver();
  REQUIRE(driver->set(3, "", soon()));
  cluster.control({{"conflicts", 100}});
  CHECK_FALSE(driver->remove("web-0", std::chrono::seconds(30), soon()));
  cluster.control({});
  REQUIRE(driver->set(2, "", soon()));
  CHECK(ids(*driver) == std::vector<std::string>{"web-0", "web-1"});
}

TEST_CASE("kubernetes: a deployment that an autoscaler owns is refused unless it is taken over") {
  Cluster cluster;
  cluster.control({{"hpa", "web-hpa"}});
  const auto refused = cluster.driver()->set(2, "", soon());
  REQUIRE_FALSE(refused);
  CHECK(refused.error().text == "deployment prod/web belongs to the autoscaler 'web-hpa': delete it, or set target.kubernetes.take_over");
  CHECK(cluster.requests("PUT").empty());
  auto options = cluster.options();
  options.take_over = true;
  CHECK((*KubernetesDriver::open(options))->set(2, "", soon()));
}

TEST_CASE("kubernetes: a server that hangs, refuses, limits or talks nonsense is an error in time, with its kind") {
  Cluster cluster;
  const auto driver = cluster.driver();
  const auto error_in = [&](const char* mode) {
    cluster.control({{"mode", mode}});
    const auto seen = driver->observe(in(std::chrono::milliseconds(1500)));
    REQUIRE_FALSE(seen);
    return seen.error();
  };
  const auto files = open_files();
  const auto before = std::chrono::steady_clock::now();
  CHECK(error_in("hang").kind == ErrorKind::timeout);
  CHECK(std::chrono::steady_clock::now() - before < std::chrono::seconds(5));
  CHECK(error_in("garbage").kind == ErrorKind::bad_input);
  CHECK(error_in("500").text.find("etcdserver: request timed out") != std::string::npos);
  CHECK(driver->retry_after() == Duration{});
  const auto forbidden = error_in("403");
  CHECK(forbidden.kind == ErrorKind::refused);
  CHECK(forbidden.text.find("cannot get resource \"deployments/scale\"): allow get and update on deployments/scale") != std::string::npos);
  CHECK(error_in("429").kind == ErrorKind::unavailable);
  CHECK(driver->retry_after() == std::chrono::seconds(7));
  cluster.control({});
  write_file(cluster.folder / "wrong", "stale\n");
  auto options = cluster.options();
  options.token_file = cluster.folder / "wrong";
  CHECK((*KubernetesDriver::open(options))->observe(soon()).error().kind == ErrorKind::refused);
  CHECK(open_files() == files);
}

TEST_CASE("kubernetes: a server with another certificate is never told the token") {
  Cluster cluster, stranger;
  auto options = cluster.options();
  options.ca_file = stranger.folder / "ca.crt";
  const auto seen = (*KubernetesDriver::open(options))->observe(soon());
  REQUIRE_FALSE(seen);
  CHECK(seen.error().kind == ErrorKind::refused);
  CHECK(seen.error().text.find("check its certificate and ca_file") != std::string::npos);
  CHECK(cluster.requests("GET").empty());
  options = cluster.options();
  options.server = *parse_endpoint("localhost:" + read_file(cluster.folder / "port"));   // the name isn't in the certificate
  CHECK((*KubernetesDriver::open(options))->observe(soon()).error().kind == ErrorKind::refused);
}

}  // namespace nlb::orchestrator::test
