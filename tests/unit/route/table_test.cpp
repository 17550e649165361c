#include "libnlb/route/table.hpp"

#include "libnlb/core/sticky.hpp"
#include "tests/unit/route/fleet.hpp"

using namespace nlb;
using namespace nlb::route;
using namespace nlb::route::test;
using Kind = RouteAnswer::Kind;

namespace {
std::string routed(const Fleet& fleet, RouteQuestion q) {
  const auto a = fleet.table->route(q);
  return a.kind == Kind::service ? fleet.table->service(a.service).name : a.kind == Kind::need_details ? "?" : "-";
}
RouteQuestion of(Protocol p) {
  RouteQuestion q;
  q.protocol = p;
  return q;
}
RouteQuestion tls(std::string_view sni, bool complete = true) {
  auto q = of(Protocol::tls);
  q.sni = sni, q.details_complete = complete;
  return q;
}
RouteRule to(std::string service) {
  RouteRule r;
  r.service = std::move(service);
  return r;
}
}  // namespace

TEST_CASE("without routes the protocol is the service, TLS goes where http goes, unknown nowhere") {
  Fleet fleet;
  fleet.add("w");
  fleet.add("c", "redis", Protocol::redis);
  fleet.build();
  CHECK(routed(fleet, of(Protocol::http)) == "http");
  CHECK(routed(fleet, of(Protocol::redis)) == "redis");
  CHECK(routed(fleet, of(Protocol::tls)) == "http");
  CHECK(routed(fleet, of(Protocol::mysql)) == "-");
  CHECK(routed(fleet, of(Protocol::unknown)) == "-");
  CHECK_FALSE(fleet.table->wants_details(Protocol::tls));
  fleet.input.fallback = "redis";
  fleet.add("s", "tls", Protocol::tls);
  fleet.build();
  CHECK(routed(fleet, of(Protocol::unknown)) == "redis");
  CHECK(routed(fleet, of(Protocol::tls)) == "tls");
}

TEST_CASE("a service of another name is the default when it alone speaks the protocol") {
  Fleet fleet;
  fleet.add("w", "web");
  fleet.build();
  CHECK(routed(fleet, of(Protocol::http)) == "web");
  CHECK(routed(fleet, of(Protocol::tls)) == "web");
  fleet.add("a", "api");
  fleet.build();
  CHECK(routed(fleet, of(Protocol::http)) == "-");
  auto rule = to("api");
  rule.sni = "api.example";
  fleet.input.routes = {rule};
  fleet.build();
  CHECK(routed(fleet, of(Protocol::http)) == "web");
}

TEST_CASE("the first rule that matches wins, and waits for details only while it could match") {
  Fleet fleet;
  fleet.add("w");
  auto exact = to("exact"), wild = to("wild"), alpn = to("alpn");
  exact.sni = "A.api.example";
  wild.sni = "*.api.example";
  alpn.alpn = "h2";
  fleet.input.routes = {exact, wild, alpn};
  fleet.build();
  CHECK(fleet.table->wants_details(Protocol::tls));
  CHECK_FALSE(fleet.table->wants_details(Protocol::http));
  CHECK(routed(fleet, tls("a.API.example")) == "exact");
  CHECK(routed(fleet, tls("b.api.example")) == "wild");
  CHECK(routed(fleet, tls("b.api.example.")) == "wild");
  CHECK(routed(fleet, tls("api.example")) == "http");
  CHECK(routed(fleet, tls("", false)) == "?");
  CHECK(routed(fleet, tls("other", false)) == "?");
  CHECK(routed(fleet, tls("", true)) == "http");
  auto q = tls("other", false);
  q.alpn = "h2";
  CHECK(routed(fleet, q) == "alpn");
  CHECK(routed(fleet, of(Protocol::http)) == "http");
}

TEST_CASE("rules go by listener, source, host, database and user") {
  Fleet fleet;
  fleet.input.listeners = {"edge", "inner"};
  fleet.add("w");
  fleet.add("p", "postgresql", Protocol::postgresql);
  auto inner = to("inner"), source = to("source"), host = to("host"), reports = to("reports");
  inner.listener = "inner";
  source.source = {*parse_network("10.0.0.0/8")};
  host.http_host = "*.shop.example";
  reports.postgres_database = "reports";
  reports.postgres_user = "bob";
  fleet.input.routes = {inner, source, host, reports};
  fleet.build();
  auto q = of(Protocol::http);
  q.listener = 1;
  CHECK(routed(fleet, q) == "inner");
  q.listener = 0;
  q.client = *parse_ip("10.1.2.3");
  CHECK(routed(fleet, q) == "source");
  q.client = *parse_ip("11.1.2.3");
  CHECK(routed(fleet, q) == "?");
  q.http_host = "www.shop.example:8080";
  CHECK(routed(fleet, q) == "host");
  q.http_host = "www.example";
  CHECK(routed(fleet, q) == "http");
  auto pg = of(Protocol::postgresql);
  CHECK(routed(fleet, pg) == "?");
  pg.database = "reports";
  CHECK(routed(fleet, pg) == "?");
  pg.user = "bob";
  CHECK(routed(fleet, pg) == "reports");
  pg.user = "eve";
  CHECK(routed(fleet, pg) == "postgresql");
}

TEST_CASE("TLS takes its own rules first, and then those for http that don't need to see inside") {
  Fleet fleet;
  fleet.add("w", "web");
  auto http = to("web"), secure = to("secure"), host = to("host");
  host.protocol = http.protocol = Protocol::http;
  host.http_host = "x";
  fleet.input.routes = {host, http};
  fleet.build();
  CHECK(routed(fleet, tls("a")) == "web");
  secure.protocol = Protocol::tls;
  fleet.input.routes.push_back(secure);
  fleet.build();
  CHECK(routed(fleet, tls("a")) == "secure");
}

TEST_CASE("a rule without a service is refused, a module of another protocol is left out with a warning") {
  Fleet fleet;
  fleet.input.routes = {to("")};
  auto refused = Table::build(fleet.input, fleet.roster, start);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().text == "route 1 names no service: add `service: NAME`");
  fleet.input.routes.clear();
  fleet.add("a");
  fleet.add("b", "http", Protocol::redis);
  fleet.add("a");
  fleet.build();
  CHECK(fleet.table->warnings().size() == 2);
  CHECK(fleet.table->service(0).modules.size() == 1);
}

TEST_CASE("failures say what is the matter") {
  Fleet fleet;
  auto& a = fleet.add("a");
  fleet.input.services["empty"] = {};
  const auto failure = [&](const std::string& service = "http") {
    fleet.build();
    return fleet.table->pick(fleet.index(service), {{}, 0, fleet.now, fleet.rng, {}}).failure;
  };
  CHECK(failure("empty") == PickFailure::no_module);
  CHECK(fleet.table->pick(99, {{}, 0, fleet.now, fleet.rng, {}}).failure == PickFailure::no_service);
  CHECK(failure() == PickFailure::none);
  a.state.health = registry::Health::unhealthy;
  CHECK(failure() == PickFailure::none_healthy);
  a.state.phase = registry::Phase::draining;
  CHECK(failure() == PickFailure::all_draining);
  a = module("a");
  a.weight = 0;
  CHECK(failure() == PickFailure::none_healthy);
  a.weight = 1;
  a.max_connections = 0;
  CHECK(failure() == PickFailure::all_full);
}

TEST_CASE("a state knows since when its module has its health, and why") {
  Fleet fleet;
  fleet.add("a");
  fleet.build();
  CHECK(fleet.state("a").health_since == start);
  auto& state = fleet.input.modules[0].state;
  state = {registry::Phase::up, registry::Health::unhealthy, "check failed: no answer"};
  fleet.now += 5s;
  fleet.build();
  fleet.now += 5s;
  fleet.build();                                  // nothing new
  CHECK(fleet.state("a").health_since == start + 5s);
  CHECK(fleet.state("a").reason == "check failed: no answer");
  state = {registry::Phase::up, registry::Health::healthy, {}};
  fleet.build();
  CHECK(fleet.state("a").health_since == start + 10s);
  CHECK(fleet.state("a").reason.empty());
}

TEST_CASE("tiers: own zone first, then by priority, backups only when nothing else is usable") {
  Fleet fleet;
  fleet.options().zone_preferred = "a";
  for (auto [name, zone, priority, backup] :
       {std::tuple{"near", "a", 0u, false}, {"far", "b", 0u, false}, {"site", "a", 1u, false}, {"spare", "a", 0u, true}}) {
    auto& m = fleet.add(name);
    m.zone = zone, m.priority = priority, m.backup = backup;
    m.max_connections = 2;
  }
  fleet.build();
  std::vector<Slot> open;
  std::string order;
  for (int i = 0; i < 6; ++i) {
    open.push_back(fleet.pick().slot);
    REQUIRE(open.back());
    order += open.back()->identity.name + " ";
  }
  CHECK(order == "near near far far site site ");
  CHECK(fleet.pick().failure == PickFailure::all_full);
  open.clear();
  for (int i = 0; i < 3; ++i) fleet.input.modules[static_cast<std::size_t>(i)].state.health = registry::Health::unhealthy;
  fleet.build();
  const auto p = fleet.pick();
  CHECK(p.slot->identity.name == "spare");
  CHECK(fleet.table->explain(0, p) == "least_conn of http, version v1: spare");
}

TEST_CASE("states live on across tables, leave with their module, and are freed after their last session") {
  Fleet fleet;
  fleet.add("a");
  fleet.add("b");
  fleet.build();
  auto* a = &fleet.state("a");
  auto session = fleet.pick(1, std::vector<ModuleState*>{&fleet.state("b")});
  REQUIRE(session.slot.module() == a);
  fleet.build();
  CHECK(&fleet.state("a") == a);
  fleet.input.modules.erase(fleet.input.modules.begin());
  fleet.build();
  CHECK(a->leaving);
  CHECK(fleet.roster.modules().size() == 2);
  CHECK(fleet.roster.collect(fleet.now + 1h, 1min) == 0);
  session.slot.release();
  CHECK(fleet.roster.collect(fleet.now + 1s, 1min) == 0);
  auto reported = a->self.lock();      // a failure that nobody has taken yet
  CHECK(fleet.roster.collect(fleet.now + 1h, 1min) == 0);
  reported.reset();
  CHECK(fleet.roster.collect(fleet.now + 1h, 1min) == 1);
  CHECK(fleet.roster.modules().size() == 1);
  fleet.input.modules[0].data = *parse_endpoint("10.0.0.2:80");
  const auto* b = &fleet.state("b");
  fleet.build();
  CHECK(&fleet.state("b") != b);
}

TEST_CASE("explanations name the rule and the module") {
  Fleet fleet;
  fleet.add("a", "api");
  fleet.add("w");
  auto rule = to("api");
  rule.sni = "*.api.example";
  fleet.input.routes = {rule};
  fleet.build();
  CHECK(fleet.table->explain(fleet.table->route(tls("x.api.example"))) == "route 1 (sni *.api.example) -> api");
  CHECK(fleet.table->explain(fleet.table->route(of(Protocol::http))) == "by protocol -> http");
  CHECK(fleet.table->explain(fleet.table->route(of(Protocol::mysql))) == "no route, and no service for the protocol");
}
