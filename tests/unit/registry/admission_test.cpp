// What a registration may claim, and how a refusal reads.
#include <catch2/catch.hpp>

#include "libnlb/config/load.hpp"
#include "libnlb/registry/admission.hpp"
#include "tests/support/registry_records.hpp"

using namespace nlb;
using namespace nlb::registry;
using nlb::testing::record;

TEST_CASE("an admitted record has its defaults and the limits' caps") {
  auto module = record("web-1");
  module.service.clear();
  module.version.clear();
  module.lease = {};
  module.max_connections = 1000000;
  module.state.phase = Phase::draining;      // not the module's to say
  const auto admitted = admit(module, {}, {});
  REQUIRE(admitted.has_value());
  CHECK(admitted->service == "http");
  CHECK(admitted->version == "v1");
  CHECK(admitted->lease == Duration(30s));
  CHECK(admitted->max_connections == 10000);
  CHECK(admitted->state.phase == Phase::up);
}

TEST_CASE("each field that is wrong is named") {
  const auto text_for = [](auto change) {
    auto module = record("web-1");
    change(module);
    const auto admitted = admit(module, {}, {});
    REQUIRE_FALSE(admitted.has_value());
    CHECK(admitted.error().kind == RefusalKind::bad_field);
    return admitted.error().text;
  };
  using Catch::Matchers::StartsWith;
  CHECK_THAT(text_for([](Module& m) { m.name = "a b"; }), StartsWith("module name \"a b\" is no name"));
  CHECK_THAT(text_for([](Module& m) { m.name.assign(129, 'x'); }), StartsWith("module name"));
  CHECK_THAT(text_for([](Module& m) { m.service = "a/b"; }), StartsWith("service"));
  CHECK_THAT(text_for([](Module& m) { m.protocol = Protocol::unknown; }), StartsWith("protocol is missing"));
  CHECK_THAT(text_for([](Module& m) { m.weight = 65536; }), StartsWith("weight 65536 is too large"));
  CHECK_THAT(text_for([](Module& m) { m.priority = 256; }), StartsWith("priority 256 is too large: it is 0 to 255"));
  for (const auto* target : {"/a\r\nX-Evil: y", "/a b", "/caf\xc3\xa9", "/\x7f"})
    CHECK_THAT(text_for([&](Module& m) { m.check.target = target; }), StartsWith("check target \"/") && Catch::Matchers::Contains("visible ASCII only"));
  CHECK_THAT(text_for([](Module& m) { m.check.target = "healthz"; }), StartsWith("check target \"healthz\" is no path: it begins with '/'"));
  CHECK_THAT(text_for([](Module& m) { m.check.target = "http://other/"; }), StartsWith("check target \"http://other/\" is no path"));
  CHECK_THAT(text_for([](Module& m) { m.lease = 10ms; }), StartsWith("lease 10ms is out of range"));
  CHECK_THAT(text_for([](Module& m) { m.check.timeout = 11s; }), StartsWith("check timeout 11s"));
  CHECK_THAT(text_for([](Module& m) { m.check.jitter = std::numeric_limits<double>::quiet_NaN(); }), StartsWith("check jitter"));
  CHECK_THAT(text_for([](Module& m) { m.check.kind = CheckKind::grpc; }), StartsWith("a grpc check needs a control address"));
  CHECK_THAT(text_for([](Module& m) { m.data.port = 0; }), StartsWith("data address 127.0.0.1:0 has no port"));
  CHECK_THAT(text_for([](Module& m) { m.data = *parse_endpoint("db.internal:80"); }), StartsWith("data address db.internal:80 is a name"));
  CHECK_THAT(text_for([](Module& m) { for (int i = 0; i < 33; ++i) m.labels["k" + std::to_string(i)] = "v"; }), StartsWith("33 labels"));
}

TEST_CASE("nlb.yaml has a registration's ranges, so that no default of a registry is another than it says") {
  const auto configured = [](const char* section, const std::string& keys) { return config::load(std::string(section) + ": {" + keys + "}\n", {}, {}).problems.empty(); };
  const auto registered = [](auto change) {
    auto module = record("web-1");
    change(module);
    return admit(module, {}, {}).has_value();
  };
  for (const auto interval : {99ms, 100ms, 3600000ms, 3600001ms}) {
    const bool good = registered([&](Module& m) { m.check.interval = interval, m.check.timeout = 10ms; });
    CHECK(good == (interval >= 100ms && interval <= 1h));
    CHECK(configured("health", "timeout: 10ms, interval: " + format_duration(interval)) == good);
  }
  for (const auto timeout : {9ms, 10ms, 10000ms, 10001ms}) {
    const bool good = registered([&](Module& m) { m.check.timeout = timeout; });
    CHECK(good == (timeout >= 10ms && timeout <= 10s));
    CHECK(configured("health", "timeout: " + format_duration(timeout)) == good);
  }
  for (const std::uint32_t times : {0u, 1u, 100u, 101u}) {
    CHECK(registered([&](Module& m) { m.check.rise = times; }) == configured("health", "rise: " + std::to_string(times)));
    CHECK(registered([&](Module& m) { m.check.fall = times; }) == configured("health", "fall: " + std::to_string(times)));
  }
  for (const double jitter : {0.01, 0.5, 0.51})      // 0 isn't a registration's: it takes the default
    CHECK(registered([&](Module& m) { m.check.jitter = jitter; }) == configured("health", "jitter: " + std::to_string(jitter)));
  CHECK_FALSE(configured("health", "jitter: 0"));
  for (const auto lease : {999ms, 1000ms, 3600000ms, 3600001ms})
    CHECK(registered([&](Module& m) { m.lease = lease; }) == configured("registry", "lease: " + format_duration(lease)));
}

TEST_CASE("a target is a path where HTTP is asked, and a gRPC service's name where gRPC is") {
  auto module = record("web-1");
  module.priority = 255;
  module.check.target = "/healthz?deep=1%20";
  CHECK(admit(module, {}, {}).has_value());
  module.control = module.data;
  module.check.kind = CheckKind::grpc;
  module.check.target = "my.Service";
  CHECK(admit(module, {}, {}).has_value());
}

TEST_CASE("addresses outside the allowed networks are refused with the networks in the text") {
  auto module = record("web-1");
  module.data = *parse_endpoint("8.8.8.8:80");
  auto refused = admit(module, {}, {});
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().kind == RefusalKind::address_not_allowed);
  CHECK(refused.error().text ==
        "data address 8.8.8.8:80 is not allowed: modules may claim 127.0.0.0/8: add its network to registry.allow_addresses");
  module = record("web-1");
  module.control = *parse_endpoint("169.254.169.254:80");
  CHECK(admit(module, {}, {}).error().kind == RefusalKind::address_not_allowed);
}

TEST_CASE("a certificate limits which services its holder may claim") {
  const Caller caller{"cert:api", false, {"api"}};
  CHECK(admit(record("web-1", 8080, "api"), {}, caller).has_value());
  CHECK(admit(record("web-1", 8080, "web"), {}, caller).error().kind == RefusalKind::service_not_allowed);
}
