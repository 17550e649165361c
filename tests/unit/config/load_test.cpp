#include "libnlb/config/load.hpp"

#include <catch2/catch.hpp>

#include <sstream>

#include "tests/unit/config/full.hpp"

using namespace nlb;
using namespace nlb::config;

namespace {

std::string without_comments(const std::string& yaml) {
  std::istringstream in(yaml);
  std::string out, line;
  while (std::getline(in, line)) out += line.substr(0, line.find_last_not_of(' ', line.rfind('#') - 1) + 1) + "\n";
  return out;
}

const Origin& origin(const Loaded& loaded, const std::string& path) {
  for (const auto& candidate : loaded.origins)
    if (candidate.path == path) return candidate;
  FAIL("no origin for " << path);
  throw std::logic_error("unreachable");
}

}  // namespace

TEST_CASE("the minimal configuration needs a listener and modules, nothing else") {
  const auto loaded = load(minimal_yaml);
  CHECK(format_problems("nlb.yaml", loaded.problems) == "");
  const auto& config = loaded.config;
  REQUIRE(config.listen.size() == 1);
  CHECK(config.listen[0].name == "127.0.0.1:8080");
  CHECK(config.listen[0].silent.after == 50ms);
  CHECK(config.listen[0].silent.protocol == Protocol::mysql);
  REQUIRE(config.modules.size() == 2);
  CHECK(config.modules[0].service == "http");
  CHECK(config.modules[1].service == "redis");
  CHECK(config.modules[1].max_connections == 10000);
  CHECK(config.modules[1].check == CheckKind::none);
}

TEST_CASE("an empty file is the default configuration") {
  for (const auto* text : {"", "\n", "# nothing\n", "---\n", "~\n"}) {
    const auto loaded = load(text);
    CHECK(format_problems("f", loaded.problems) == "");
    CHECK(loaded.config.listen.empty());
    CHECK(loaded.config.scale.interval == 30s);
    CHECK(loaded.config.store.sqlite == "${state}/{tool}.db");
  }
}

TEST_CASE("every section of the full example arrives") {
  const auto loaded = load(full_yaml);
  REQUIRE(format_problems("nlb.yaml", loaded.problems) == "");
  const auto& c = loaded.config;
  CHECK(c.listen[0].proxy_protocol.accept);
  CHECK(to_string(c.listen[0].proxy_protocol.from.at(0)) == "10.0.0.0/8");
  CHECK(c.listen[0].silent.adaptive);
  CHECK(c.modules[0].send_proxy == SendProxy::v2);
  CHECK(to_string(*c.modules[0].control) == "10.0.1.5:50051");
  CHECK(c.modules[0].check == CheckKind::grpc);
  CHECK(c.routes[0].sni == "*.api.example");
  CHECK(c.routes[1].postgres_database == "reports");
  const auto& web = c.services.at("web");
  CHECK(web.connect_timeout == 1500ms);
  CHECK(web.connect_tries == 4);
  CHECK(web.eject.period == 20s);
  CHECK(web.eject.percent_max == 25);
  CHECK(web.breaker_pending_max == 77);
  CHECK(web.queue.sessions_max == 9);
  CHECK(web.half_close == HalfClose::full);
  CHECK(c.limits[1].bytes_per_second == 100u << 20);
  CHECK(c.limits[1].action == AtLimit::queue);
  CHECK(c.limits[1].per == LimitPer::client);
  CHECK(c.health.check == CheckKind::tcp);
  CHECK(c.registry.lease == 20s);
  CHECK(c.deploy.judge.alpha == 0.05);
  REQUIRE(c.scale.policies.size() == 1);
  const auto& policy = c.scale.policies[0];
  CHECK(policy.target.kind == "process");
  CHECK(policy.target.command == std::vector<std::string>{"./web", "--port", "{port}"});
  CHECK(policy.target.environment.at("MODE") == "fast");
  CHECK(policy.up.step_max == 4);
  CHECK(policy.memory_percent == 0);
  CHECK(c.bus.curve_secret_key_file == "/etc/nlb/bus.key");
  CHECK(c.store.etcd_endpoints == std::vector<std::string>{"https://10.0.0.1:2379"});
  CHECK(c.admin.address->port == 9000);
  CHECK(c.log.access.sample == 0.5);
  CHECK(c.licensing.enterprise == std::vector<std::string>{"canary"});
}

TEST_CASE("the printed configuration reads back as the same configuration") {
  for (const auto* text : {"", minimal_yaml, full_yaml}) {
    const auto printed = without_comments(print_config(load(text)));
    const auto again = load(printed);
    CHECK(format_problems("printed", again.problems) == "");
    CHECK(without_comments(print_config(again)) == printed);
  }
}

TEST_CASE("a flag wins over the environment, that over the file, that over the default") {
  const std::string yaml = "limits:\n  - {name: web, rate: 1}\n";
  const auto rate = [](const Loaded& loaded) { return loaded.config.limits.at(0).rate; };
  const std::vector<std::pair<std::string, std::string>> environment = {{"NLB_LIMITS__WEB__RATE", "2"}}, flags = {{"limits[0].rate", "3"}};
  CHECK(rate(load(yaml)) == 1);
  CHECK(rate(load(yaml, environment)) == 2);
  CHECK(rate(load(yaml, environment, flags)) == 3);
  CHECK(origin(load(yaml), "limits[0].rate").line == 2);
  CHECK(origin(load(yaml), "limits[0].connections").source == Source::default_value);
  CHECK(origin(load(yaml, environment), "limits[0].rate").source == Source::environment);
  CHECK(origin(load(yaml, environment, flags), "limits[0].rate").source == Source::flag);
  CHECK(print_config(load(yaml, environment)).find("rate: 2 ") != std::string::npos);
}

TEST_CASE("a single value stands for a list of one, and null for the default") {
  const auto loaded = load("listen: [{address: 'unix:/run/x', proxy_protocol: {accept: true, from: 10.0.0.0/8}}]\nlog: {level: null}\nhealth:\n");
  CHECK(format_problems("f", loaded.problems) == "");
  CHECK(loaded.config.listen.at(0).addresses.at(0).host == "/run/x");
  CHECK(loaded.config.listen.at(0).proxy_protocol.from.size() == 1);
  CHECK(loaded.config.log.level == "info");
}

TEST_CASE("detect is the default of every listener") {
  const auto loaded = load("detect: {timeout: 2s}\nlisten:\n  - {address: ':1'}\n  - {address: ':2', detect: {timeout: 3s}}\n");
  CHECK(loaded.config.listen.at(0).detect.timeout == 2s);
  CHECK(loaded.config.listen.at(1).detect.timeout == 3s);
}

TEST_CASE("services and labels may have dots in their names") {
  const auto loaded = load("services: {a.b: {picker: p2c}}\nmodules: [{name: m, protocol: http, address: 'h:1', labels: {x.y: z}}]\n");
  CHECK(loaded.config.services.at("a.b").picker == PickerKind::p2c);
  CHECK(loaded.config.modules.at(0).labels.at("x.y") == "z");
  CHECK(load(print_config(loaded)).config.services.at("a.b").picker == PickerKind::p2c);
}
