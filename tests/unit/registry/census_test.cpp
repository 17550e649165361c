// What the census counts, when there is room, and when a silence is too wide to be the modules' own.
#include <catch2/catch.hpp>

#include "libnlb/registry/census.hpp"
#include "tests/support/registry_records.hpp"

using namespace nlb;
using namespace nlb::registry;
using nlb::testing::record;

namespace {

const std::string me = "10.0.0.1", other = "10.0.0.2", web = "web";

Module of_protocol(Protocol protocol, std::string service = web) {
  auto module = record("m", 80, std::move(service));
  module.protocol = protocol;
  return module;
}

Census with(int modules) {
  Census census;
  for (int i = 0; i < modules; ++i) census.add({of_protocol(Protocol::http), me});
  return census;
}

}  // namespace

TEST_CASE("each limit refuses the module after the last that fits, and names itself") {
  Limits limits;
  limits.modules_per_protocol_max = 2;
  limits.modules_per_caller_max = 3;
  limits.modules_max = 4;
  Census census = with(2);
  const auto refusal = [&](Protocol protocol, const std::string& caller) { return census.refuse({of_protocol(protocol), caller}, {}, limits); };
  CHECK(refusal(Protocol::http, other)->kind == RefusalKind::protocol_full);
  CHECK(refusal(Protocol::http, other)->text == "no room for another module: protocol http has its 2: remove one or raise registry.modules_per_protocol_max");
  CHECK_FALSE(refusal(Protocol::redis, me));
  census.add({of_protocol(Protocol::redis), me});
  CHECK(refusal(Protocol::redis, me)->text == "no room for another module: caller 10.0.0.1 has its 3: remove one or raise registry.modules_per_caller_max");
  CHECK_FALSE(refusal(Protocol::redis, other));
  census.add({of_protocol(Protocol::mysql), other});
  CHECK(refusal(Protocol::mongodb, other)->text == "no room for another module: the registry has its 4: remove one or raise registry.modules_max");
}

TEST_CASE("who takes a known module's place needs room only for what it doesn't share with it") {
  Limits limits;
  limits.modules_max = 2;
  limits.modules_per_protocol_max = 1;
  limits.modules_per_caller_max = 1;
  Census census;
  const auto http = of_protocol(Protocol::http), redis = of_protocol(Protocol::redis);
  census.add({http, me});
  census.add({redis, other});
  CHECK_FALSE(census.refuse({http, me}, Census::Entry{http, me}, limits));
  CHECK(census.refuse({redis, me}, Census::Entry{http, me}, limits)->kind == RefusalKind::protocol_full);
  CHECK(census.refuse({http, other}, Census::Entry{http, me}, limits)->kind == RefusalKind::caller_full);
}

TEST_CASE("what was added and removed again leaves no trace") {
  Limits limits;
  limits.modules_max = limits.modules_per_protocol_max = limits.modules_per_caller_max = 1;
  Census census = with(1);
  REQUIRE(census.refuse({of_protocol(Protocol::http), me}, {}, limits));
  census.remove({of_protocol(Protocol::http), me});
  CHECK(census.all() == 0);
  CHECK(census.of_service(web) == 0);
  CHECK_FALSE(census.refuse({of_protocol(Protocol::http), me}, {}, limits));
}

TEST_CASE("a silence is wide from two modules and more than 15 % of the service on") {
  Census small = with(2);
  small.falls_silent(web);
  CHECK_FALSE(small.is_mass_silence(web));      // half of them, but one alone
  small.falls_silent(web);
  CHECK(small.is_mass_silence(web));

  Census large = with(20);
  for (int i = 0; i < 3; ++i) large.falls_silent(web);
  CHECK_FALSE(large.is_mass_silence(web));      // 15 %
  large.falls_silent(web);
  CHECK(large.is_mass_silence(web));
  CHECK_FALSE(large.is_mass_silence("nobody's"));
}

TEST_CASE("who is removed in a wide silence counts on until the last of its neighbours speaks or is gone too") {
  Census census = with(5);
  for (int i = 0; i < 3; ++i) census.falls_silent(web);
  const auto lose_one = [&] {
    census.leaves_silent(web);
    census.remove({of_protocol(Protocol::http), me});
  };
  lose_one();
  lose_one();
  CHECK(census.is_mass_silence(web));           // one is silent now, and two are lost
  census.speaks_again(web);
  census.falls_silent(web);
  CHECK_FALSE(census.is_mass_silence(web));     // a new silence, of one
}

TEST_CASE("services are counted apart") {
  Census census = with(3);
  for (int i = 0; i < 3; ++i) census.add({of_protocol(Protocol::http, "shop"), me});
  census.falls_silent("shop");
  census.falls_silent("shop");
  CHECK(census.is_mass_silence("shop"));
  CHECK_FALSE(census.is_mass_silence(web));
  CHECK(census.of_service("shop") == 3);
  CHECK(census.all() == 6);
}
