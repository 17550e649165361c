// Two opinions and the worse of them.
#include <catch2/catch.hpp>

#include "libnlb/registry/health.hpp"

using namespace nlb;
using namespace nlb::registry;

namespace {
const CheckAnswer good{true, "", 1ms};
const CheckAnswer bad{false, "connection refused", 1ms};
}  // namespace

TEST_CASE("the first good answer counts at once, later ones after rise, bad ones after fall") {
  HealthFacts facts;
  const HealthSpec spec;      // rise 2, fall 3
  facts.answer(spec, good);
  CHECK(facts.checked == Health::healthy);
  facts.answer(spec, bad);
  facts.answer(spec, bad);
  CHECK(facts.checked == Health::healthy);
  facts.answer(spec, bad);
  CHECK(facts.checked == Health::unhealthy);
  facts.answer(spec, good);
  CHECK(facts.checked == Health::unhealthy);
  facts.answer(spec, good);
  CHECK(facts.checked == Health::healthy);
}

TEST_CASE("a good answer between bad ones starts the count again") {
  HealthFacts facts;
  const HealthSpec spec;
  facts.answer(spec, good);
  for (int i = 0; i < 10; ++i) {
    facts.answer(spec, bad);
    facts.answer(spec, bad);
    facts.answer(spec, good);
  }
  CHECK(facts.checked == Health::healthy);
  CHECK(facts.failures == 20);
}

TEST_CASE("a module that never answered becomes unhealthy after fall") {
  HealthFacts facts;
  for (int i = 0; i < 2; ++i) facts.answer({}, bad);
  CHECK(facts.checked == Health::unknown);
  facts.answer({}, bad);
  CHECK(facts.checked == Health::unhealthy);
  CHECK(reason(facts, CheckKind::tcp) == "check failed: connection refused");
}

TEST_CASE("a reason without an error ends with what is known") {
  HealthFacts facts;
  CHECK(reason(facts, CheckKind::tcp) == "not checked yet");
  facts.answer({}, bad);
  CHECK(reason(facts, CheckKind::tcp) == "no good answer yet: connection refused");
  facts.forget_checks();                       // another address
  CHECK(reason(facts, CheckKind::tcp) == "not checked yet");
  facts.answer({}, {false, "", 1ms});
  CHECK(reason(facts, CheckKind::tcp) == "no good answer yet");
  HealthFacts restored;
  restored.checked = Health::unhealthy;
  CHECK(reason(restored, CheckKind::tcp) == "check failed");
}

TEST_CASE("the worse of the check's and the module's own opinion counts") {
  HealthFacts facts;
  facts.checked = Health::healthy;
  facts.reported = Health::degraded;
  CHECK(effective(facts, CheckKind::tcp) == Health::degraded);
  facts.reported = Health::healthy;
  facts.checked = Health::unhealthy;
  CHECK(effective(facts, CheckKind::tcp) == Health::unhealthy);
  facts.checked = Health::unknown;
  CHECK(effective(facts, CheckKind::tcp) == Health::unknown);
  CHECK(effective(facts, CheckKind::none) == Health::healthy);
}

TEST_CASE("a module nobody checks is usable until it says otherwise") {
  HealthFacts facts;
  CHECK(is_routable(ModuleState{Phase::up, effective(facts, CheckKind::none), ""}, CheckKind::none));
  facts.reported = Health::unhealthy;
  CHECK_FALSE(is_routable(ModuleState{Phase::up, effective(facts, CheckKind::none), ""}, CheckKind::none));
}
