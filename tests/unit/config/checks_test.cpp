#include <catch2/catch.hpp>

#include "libnlb/config/load.hpp"

using namespace nlb;
using namespace nlb::config;

namespace {

bool says(const std::string& yaml, const std::string& text) {
  const auto all = format_problems("nlb.yaml", load(yaml).problems);
  INFO(yaml << all);
  CHECK(all.find(text) != std::string::npos);
  return all.find(text) != std::string::npos;
}
void is_fine(const std::string& yaml) { CHECK(format_problems("nlb.yaml", load(yaml).problems) == ""); }

const std::string web = "modules: [{name: m, protocol: http, service: web, address: 'h:1'}]\n";

}  // namespace

TEST_CASE("names and addresses tell things apart") {
  says("modules:\n  - {name: a, protocol: http, address: 'h:1'}\n  - {name: a, protocol: http, address: 'h:2'}\n",
       "nlb.yaml:3:12: modules[1].name: 'a' is the name of modules[0] already");
  says("limits: [{name: a, rate: 1}, {name: a, rate: 2}]\n", "limits[1].name: 'a' is the name of limits[0] already");
  says("listen: [{address: ':80'}, {name: x, address: ['[::]:80', ':81']}]\n", "listen[1].address: [::]:80 is taken by listen[0].address already");
  says("listen: [{address: '127.0.0.1:80'}]\nadmin: {address: '127.0.0.1:80'}\n", "nlb.yaml:2:18: admin.address: 127.0.0.1:80 is taken");
  is_fine("listen: [{name: a, address: '127.0.0.1:0'}, {name: b, address: '127.0.0.1:0'}]\n");
}

TEST_CASE("a route to a service that nobody serves is a problem, unless modules may register later") {
  says(web + "routes: [{sni: a, service: api}]\n", "nlb.yaml:2:28: routes[0].service: no module serves 'api'");
  says(web + "routes: [{sni: a, service: redsi}]\n", "did you mean 'redis'?");
  says(web + "fallback: wep2\n", "fallback: no module serves 'wep2'");
  says(web + "limits: [{name: l, rate: 1, per: service, service: other}]\n", "limits[0].service: no module serves 'other'");
  is_fine(web + "routes: [{sni: a, service: api}]\nservices: {api: {}}\n");
  is_fine(web + "routes: [{sni: a, service: api}]\nregistry: {lease: 10s}\n");
  says(web + "routes: [{sni: a, service: redsi}]\nregistry: {lease: 10s}\n", "did you mean 'redis'?");
  is_fine(web + "routes: [{sni: a, service: mysql}]\n");
}

TEST_CASE("routes that can never match are told") {
  says("routes: [{listener: egde, service: http}]\nlisten: [{name: edge, address: ':1'}]\n", "no listener is called 'egde': did you mean 'edge'?");
  says("routes: [{protocol: redis, sni: a, service: redis}]\n", "nlb.yaml:1:33: routes[0].sni: can never match: redis traffic doesn't show it");
  says("routes: [{protocol: http, postgres_user: a, service: http}]\n", "routes[0].postgres_user: can never match");
  is_fine("routes: [{protocol: tls, sni: a, service: http}, {protocol: http, http_host: b, service: http}]\n");
}

TEST_CASE("two server-first services on one listener can't be told apart") {
  const std::string modules = "modules:\n  - {name: a, protocol: mysql, service: db-a, address: 'h:1'}\n  - {name: b, protocol: mysql, service: db-b, address: 'h:2'}\n";
  const std::string one = "listen:\n  - {name: x, address: ':1', silent: {protocol: mysql}}\n";
  says(modules + one + "routes:\n  - {protocol: mysql, service: db-a}\n  - {protocol: mysql, service: db-b}\n", "routes[1].service: a second server-first service on listener 'x'");
  is_fine(modules + one + "routes:\n  - {protocol: mysql, source: 10.0.0.0/8, service: db-a}\n  - {protocol: mysql, service: db-b}\n");
  is_fine(modules + one + "  - {name: y, address: ':2', protocol: mysql}\nroutes:\n  - {listener: x, protocol: mysql, service: db-a}\n  - {protocol: mysql, service: db-b}\n");
}

TEST_CASE("listeners say what silence means") {
  says("listen: [{address: ':1', silent: {protocol: redis}}]\n", "redis clients speak first");
  says("listen: [{address: ':1', silent: {after: 50ms}}]\n", "silence has no meaning here");
  says("listen: [{address: ':1', silent: {close: true, protocol: mysql}}]\n", "silent clients are closed and passed on");
  says("listen: [{address: ':1', silent: {after: 6s, protocol: mysql}}]\n", "6s is longer than detect.timeout (5s)");
  says("listen: [{address: ':1', protocol: mysql, silent: {protocol: mysql}}]\n", "this listener is fixed to mysql");
  says("listen: [{address: ':1', proxy_protocol: {accept: true}}]\n", "nobody may send a PROXY header");
  is_fine("listen: [{address: ':1', silent: {close: true}}, {address: ':2', silent: {protocol: mysql}}, {address: ':3', protocol: mysql}]\n");
}

TEST_CASE("scaling that can't settle is told") {
  const auto policy = [](const std::string& keys) { return "scale: {policies: [{service: web, " + keys + "}]}\n"; };
  says(policy("min: 5, max: 2"), "min 5 is above max 2: raise max or lower min");
  says(policy("targets: {cpu_percent: 0}"), "a target of zero would want replicas without end");
  says(policy("targets: {cpu_percent: null, memory_percent: null, connections: null}"), "no target is left");
  says(policy("thresholds: {down_percent: 120}"), "the thresholds cross: down at 120 % isn't below up at 100 %");
  says(policy("target: {process: {command: a}, docker: {image: b}}"), "a second target");
  says(policy("target: {process: {}}"), "there is nothing to start");
  says("scale: {policies: [{service: web}, {service: web}]}\n", "'web' has a policy already");
  is_fine(policy("target: {observe: {}}"));
  is_fine(policy("target: {kubernetes: {name: web}}"));
}

TEST_CASE("facts have one home") {
  says("store: {sqlite: a.db, etcd: {endpoints: [x]}}\n", "two stores");
  says("store: {etcd: {prefix: /a}}\n", "etcd has no default address");
  says("services: {web: {sticky: sni}}\n", "only the hash picker looks at it");
}

TEST_CASE("advice is bounded: many wrong names among many services take about a second, not minutes") {
  std::string yaml = "registry: {lease: 10s}\nroutes:\n";
  for (int i = 0; i < 3000; ++i) yaml += "  - {sni: a, service: wrong" + std::to_string(i) + "x}\n";
  yaml += "services:\n";
  for (int i = 0; i < 3000; ++i) yaml += "  other" + std::to_string(i) + "y: {}\n";
  CHECK(load(yaml).problems.empty());
}
