#include "libnlb/config/load.hpp"

#include <catch2/catch.hpp>

using namespace nlb;
using namespace nlb::config;

namespace {

std::string problems(std::string_view yaml) { return format_problems("nlb.yaml", load(yaml).problems); }

}  // namespace

TEST_CASE("each mistake is one line with its place, the value, the limit and what to do") {
  struct Row { const char* yaml; const char* text; };
  static const Row rows[] = {
      {"admin: {adress: x}\n", "nlb.yaml:1:9: admin.adress: unknown key: did you mean 'address'?\n"},
      {"lisen: []\n", "nlb.yaml:1:1: lisen: unknown key: did you mean 'listen'?\n"},
      {"route: []\n", "nlb.yaml:1:1: route: unknown key: did you mean 'routes'?\n"},
      {"alpha: 1\n", "nlb.yaml:1:1: alpha: unknown key: the nearest known key is 'deploy.judge.alpha'\n"},
      {"health: {rise: 0}\n", "nlb.yaml:1:16: health.rise: '0' is below 1: write a value from 1 to 100\n"},
      {"health: {rise: x}\n", "nlb.yaml:1:16: health.rise: 'x' is no whole number: write a whole number from 1 to 100\n"},
      {"health: {rise: -2}\n", "nlb.yaml:1:16: health.rise: '-2' is below 1: write a whole number from 1 to 100\n"},
      {"health:\n  interval: 10\n", "nlb.yaml:2:13: health.interval: '10' is no duration: write a number and a unit, such as 50ms, 2s, 1h30m (units: ns us ms s m h d)\n"},
      {"health: {timeout: 20s}\n", "nlb.yaml:1:19: health.timeout: 20s is longer than the interval (10s), so checks would pile up: shorten it\n"},
      {"log: {level: inf}\n", "nlb.yaml:1:14: log.level: 'inf' is none of trace, debug, info, warn, error, off: did you mean 'info'?\n"},
      {"log: {level: [info]}\n", "nlb.yaml:1:14: log.level: a list stands here: write one of trace, debug, info, warn, error, off\n"},
      {"log: info\n", "nlb.yaml:1:6: log: a single value stands here: write a map with the keys level, format, access\n"},
      {"listen: {address: ':1'}\n", "nlb.yaml:1:9: listen: a map stands here: write a list, each element with '- ' in front\n"},
      {"limits: [{name: a, rate: -1}]\n", "nlb.yaml:1:26: limits[0].rate: '-1' is below 0: write a value from 0 to 1000000000\n"},
      {"limits: [{name: a}]\n", "nlb.yaml:1:10: limits[0]: limits nothing: it names neither rate nor connections nor bytes_per_second: add one of them\n"},
      {"limits: [{name: a, rate: 1, burst: 0.5}]\n", "nlb.yaml:1:36: limits[0].burst: a burst below 1 lets nobody in: write 1 or more\n"},
      {"modules: [{name: a, protocol: http, address: 'x:1', weight: 70000}]\n", "nlb.yaml:1:61: modules[0].weight: '70000' is above 65535: write a value from 0 to 65535\n"},
      {"modules: [{name: a, protocol: http, address: x}]\n", "nlb.yaml:1:46: modules[0].address: 'x' is no address: write it like 10.0.0.1:8080, [::1]:8080, name:8080 or unix:/path\n"},
      {"modules: [{name: a, protocol: http}]\n", "nlb.yaml:1:11: modules[0].address: missing: it has no default: add 'address: ...' (host:port, [IPv6]:port or unix:/path)\n"},
      {"modules: [{name: a, protocol: htp, address: 'x:1'}]\n", "nlb.yaml:1:31: modules[0].protocol: 'htp' is none of http, tls, mysql, postgresql, mongodb, redis, rtmp: did you mean 'http'?\n"},
      {"modules: [{name: a, protocol: http, address: 'x:1', check: grpc}]\n", "nlb.yaml:1:60: modules[0].check: grpc asks the module's own gRPC server, and nothing says where that is: add 'control: host:port', or check by tcp or protocol\n"},
      {"store: {sqlite: '${home}/x'}\n", "nlb.yaml:1:17: store.sqlite: '${home}/x' names an unknown place: known are ${runtime} and ${state}\n"},
      {"bus: {subscribe: [[a]]}\n", "nlb.yaml:1:19: bus.subscribe[0]: a list stands here: each element is a single value\n"},
      {"security: {insecure: maybe}\n", "nlb.yaml:1:22: security.insecure: 'maybe' is neither yes nor no: write true or false\n"},
      {"security: {tls: {key: k}}\n", "nlb.yaml:1:23: security.tls.key: a certificate and its key only work together: name both or none\n"},
  };
  for (const auto& row : rows) CHECK(problems(row.yaml) == row.text);
}

TEST_CASE("all mistakes of a file are told at once, in its order") {
  const auto text = problems("health: {rise: x, fal: 2}\nmodules:\n  - {name: a, protocol: http, address: 'h:1', weight: -1}\nloog: {}\n");
  CHECK(text == "nlb.yaml:1:16: health.rise: 'x' is no whole number: write a whole number from 1 to 100\n"
                "nlb.yaml:1:19: health.fal: unknown key: did you mean 'fall'?\n"
                "nlb.yaml:3:55: modules[0].weight: '-1' is below 0: write a whole number from 0 to 65535\n"
                "nlb.yaml:4:1: loog: unknown key: did you mean 'log'?\n");
}

TEST_CASE("broken YAML is told with its place") {
  CHECK(problems("listen: [\n").starts_with("nlb.yaml:2:1: the YAML can't be read: "));
  CHECK(problems("a: b: c\n").starts_with("nlb.yaml:1:5: the YAML can't be read: "));
  CHECK(problems("log:\n\tlevel: info\n").starts_with("nlb.yaml:2:1: a tab in the indentation: "));
  CHECK(problems("log: {level: info}\nlog: {level: warn}\n") == "nlb.yaml:2:1: 'log' is there twice in the same map: only one can hold: remove one\n");
  CHECK(problems("- a\n") == "nlb.yaml:1:1: the file: a list stands here: write a map with the keys detect, listen, modules, routes, fallback, services, ...\n");
  CHECK(problems("log: {}\n---\nlog: {}\n").find("a second YAML document") != std::string::npos);
  CHECK(problems("? [a]\n: b\n").find("a list or map as a key") != std::string::npos);
}

TEST_CASE("a file that would take too much is refused, not loaded") {
  std::string bomb = "a: &a [x,x,x,x,x,x,x,x,x,x]\n";
  for (char c = 'b'; c < 'k'; ++c) {
    bomb += std::string(1, c) + ": &" + c + " [";
    for (int i = 0; i < 10; ++i) bomb += std::string(i ? "," : "") + "*" + static_cast<char>(c - 1);
    bomb += "]\n";
  }
  CHECK(problems(bomb).find("too much in one file: the limit is 200000 values") != std::string::npos);
  CHECK(problems("a: &a [*a]\n").find("an alias inside its own anchor") != std::string::npos);
  CHECK(problems(std::string(100, '[') + std::string(100, ']')).find("nested too deep: the limit is 32 levels") != std::string::npos);
  CHECK(problems(std::string((4 << 20) + 1, ' ')).find("the file has 4194305 bytes: the limit is 4194304") != std::string::npos);
  CHECK(problems(std::string("a\0b", 3)).find("zero bytes") != std::string::npos);
  std::string many;
  for (int i = 0; i < 1000; ++i) many += "key" + std::to_string(i) + ": 1\n";
  CHECK(problems(many).find("800 more problems") != std::string::npos);
}

TEST_CASE("an alias that is harmless works") {
  const auto loaded = load("health: &h {rise: 2, fall: 5}\nlisten: []\n");
  CHECK(loaded.problems.empty());
  CHECK(load("detect: &d {timeout: 3s}\nlisten:\n  - {address: ':1', detect: *d}\n").config.listen.at(0).detect.timeout == 3s);
}
