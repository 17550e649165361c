#include "libnlb/config/overrides.hpp"

#include <catch2/catch.hpp>

using namespace nlb;
using namespace nlb::config;
using Pairs = std::vector<std::pair<std::string, std::string>>;

namespace {

std::string problems(const Pairs& environment, std::string_view yaml = "") { return format_problems("nlb.yaml", load(yaml, environment).problems); }

}  // namespace

TEST_CASE("a variable reaches every kind of place") {
  const auto yaml = "modules:\n  - {name: web-1, protocol: http, address: 'h:1'}\nlimits:\n  - {name: Per.Client, per: client, rate: 1}\n";
  const auto loaded = load(yaml, {{"NLB_MODULES__0__WEIGHT", "7"}, {"NLB_MODULES__WEB_1__ZONE", "z"}, {"NLB_LIMITS__PER_CLIENT__RATE", "5"}, {"NLB_SERVICES__WEB__PICKER", "p2c"},
                                  {"NLB_BUS__SUBSCRIBE", "ipc:///a,ipc:///b"}, {"NLB_MODULES__0__LABELS__TEAM", "x"}, {"NLB_FALLBACK", "http"}, {"NLB_ADMIN", "{address: ':9'}"},
                                  {"NLB_LISTEN__0__ADDRESS", "[::1]:80"}, {"NLB_LISTEN__0__SILENT__PROTOCOL", "mysql"}, {"NLB_REGISTRY__ALLOW_ADDRESSES__1", "10.0.0.0/8"},
                                  {"NLB_REGISTRY__ALLOW_ADDRESSES__0", "10.1.0.0/16"}});
  CHECK(format_problems("f", loaded.problems) == "");
  CHECK(loaded.config.modules.at(0).weight == 7);
  CHECK(loaded.config.modules.at(0).zone == "z");
  CHECK(loaded.config.limits.at(0).rate == 5);
  CHECK(loaded.config.services.at("web").picker == PickerKind::p2c);
  CHECK(loaded.config.bus.subscribe == std::vector<std::string>{"ipc:///a", "ipc:///b"});
  CHECK(loaded.config.modules.at(0).labels.at("team") == "x");
  CHECK(loaded.config.fallback == "http");
  CHECK(loaded.config.admin.address->port == 9);
  CHECK(to_string(loaded.config.listen.at(0).addresses.at(0)) == "[::1]:80");
  CHECK(loaded.config.registry.allow_addresses.size() == 2);
}

TEST_CASE("a protocol without a limit of that name gets one") {
  const auto loaded = load("limits: [{name: other, rate: 1}]\n", {{"NLB_LIMITS__HTTP__RATE", "500"}});
  CHECK(format_problems("f", loaded.problems) == "");
  REQUIRE(loaded.config.limits.size() == 2);
  CHECK(loaded.config.limits[1].name == "http");
  CHECK(loaded.config.limits[1].protocol == Protocol::http);
  CHECK(loaded.config.limits[1].rate == 500);
  CHECK(loaded.config.limits[1].burst == 500);
}

TEST_CASE("a wrong variable is told by its name, with the nearest key") {
  CHECK(problems({{"NLB_HEALHT__RISE", "1"}}) == "environment: NLB_HEALHT__RISE: unknown key 'healht': did you mean 'health'?\n");
  CHECK(problems({{"NLB_HEALTH__RISE", "x"}}) == "environment: NLB_HEALTH__RISE: health.rise: 'x' is no whole number: write a whole number from 1 to 100\n");
  CHECK(problems({{"NLB_LIMITS__NONE__RATE", "1"}}, "limits: [{name: a, rate: 1}]\n") ==
        "environment: NLB_LIMITS__NONE__RATE: no element of 'limits' is called 'none': its names are a\n");
  CHECK(problems({{"NLB_MODULES__4__WEIGHT", "1"}}).find("no element 4: 'modules' has 0: the next is 0") != std::string::npos);
  CHECK(problems({{"NLB_HEALTH__RISE__X", "1"}}).find("'rise' is a single value: remove 'x'") != std::string::npos);
  CHECK(format_problems("f", load("", {}, {{"health.rise", "0"}}).problems) == "command line: --set health.rise: health.rise: '0' is below 1: write a value from 1 to 100\n");
}

TEST_CASE("variables of the tools and of Kubernetes are no keys") {
  for (const auto* name : {"NLB_CONFIG", "NLB_BIN", "NLB_API_KEY", "NLB_RUNTIME_DIR", "NLB_TEST_X", "NLB_SERVICE_HOST", "NLB_SERVICE_PORT_HTTP", "NLB_PORT",
                           "NLB_PORT_8080_TCP_ADDR", "NLB_FORWARD_SERVICE_HOST", "HOME"})
    CHECK(problems({{name, "x"}}) == "");
  CHECK(problems({{"NLB_PORTS", "x"}}) != "");
}
