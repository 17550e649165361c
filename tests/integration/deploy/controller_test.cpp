// The controller with scripted forwarders: rollouts to their ends, refusals, idempotent commands, groups, a store that refuses.
#include "tests/integration/deploy/world.hpp"

using namespace nlb;
using namespace nlb::deploy;
using namespace nlb::deploy::test;

namespace {

struct Ready : World {
  explicit Ready(std::vector<std::string> names = {"edge-1", "edge-2"}) {
    for (auto& name : names) forwarders.emplace_back(name);
    open();
    REQUIRE(init().accepted());
    REQUIRE(run_until("idle", 3) >= 0);
    for (int i = 0; i < 3; ++i) REQUIRE(second().has_value());
  }
};

v1::ControlCanaryRequest control(const World& world, const std::string& id, v1::ControlCanaryRequest::Verb verb) {
  v1::ControlCanaryRequest request;
  *request.mutable_head() = world.head(id);
  request.set_service("web");
  request.set_verb(verb);
  return request;
}

}  // namespace

TEST_CASE("a good canary climbs its steps, is promoted, and the old version is let go when it is no longer kept warm") {
  Ready world;
  REQUIRE(world.controller->start(world.canary("start", {1000, 5000, 10000}, 10000), world.now)->accepted());
  CHECK(world.run_until("promoted", 120) > 18);
  CHECK(world.forwarders[0].weight_of("v2") == 10000);
  CHECK(world.forwarders[1].weight_of("v2") == 10000);
  CHECK(world.controller->get("web", world.now)->outcome() == "promoted");
  CHECK(world.run_until("idle", 70) >= 0);
  const auto status = *world.controller->get("web", world.now);
  REQUIRE(status.versions_size() == 1);
  CHECK(status.versions(0).version() == "v2");
  CHECK(status.versions(0).colour() == "green");
  CHECK_FALSE(world.published.contains("holds/web"));
}

TEST_CASE("a canary that fails for one in twenty is rolled back by itself, and few clients are hurt") {
  Ready world;
  world.versions["v2"].failing = 0.05;
  REQUIRE(world.controller->start(world.canary("start", {1000, 5000, 10000}, 60000), world.now)->accepted());
  const auto seconds = world.run_until("rolled_back", 120);
  CHECK(seconds > 0);
  CHECK(seconds < 60);
  const auto hurt = world.forwarders[0].canary_failures("v2") + world.forwarders[1].canary_failures("v2");
  CHECK(hurt < 100);
  for (int i = 0; i < 30; ++i) {
    REQUIRE(world.second().has_value());
    REQUIRE(world.forwarders[0].weight_of("v2") == 0);
  }
  CHECK_THAT(world.controller->get("web", world.now)->rollout().reason(), Catch::Matchers::StartsWith("worse: failures: canary"));
}

TEST_CASE("a canary that refuses every connect is stopped within seconds") {
  Ready world;
  world.versions["v2"].refuses = true;
  REQUIRE(world.controller->start(world.canary("start", {1000, 10000}, 60000), world.now)->accepted());
  const auto seconds = world.run_until("rolled_back", 60);
  CHECK(seconds >= 0);
  CHECK(seconds <= 6);
}

TEST_CASE("without traffic a step waits, and says so") {
  Ready world;
  v1::Split split;
  REQUIRE(split.ParseFromString(world.published.at("splits/web")));
  for (auto& forwarder : world.forwarders) {
    forwarder = ScriptedForwarder(forwarder.name(), 0);
    forwarder.take(split, world.epoch);
  }
  REQUIRE(world.controller->start(world.canary("start", {1000, 10000}, 5000), world.now)->accepted());
  for (int i = 0; i < 60; ++i) REQUIRE(world.second().has_value());
  CHECK(world.phase() == "waiting_for_traffic");
  CHECK(world.controller->get("web", world.now)->rollout().waiting_for() == "traffic");
}

TEST_CASE("without a forwarder a rollout holds, and says so") {
  World world;
  world.open();
  REQUIRE(world.init().accepted());
  REQUIRE(world.controller->start(world.canary("start", {1000, 10000}, 1000), world.now)->accepted());
  for (int i = 0; i < 30; ++i) REQUIRE(world.second().has_value());
  const auto status = *world.controller->get("web", world.now);
  CHECK(status.split().phase() == "shifting");
  CHECK(status.rollout().waiting_for() == "a live forwarder");
  CHECK_THAT(status.warning(), Catch::Matchers::StartsWith("no forwarder is listening"));
}

TEST_CASE("a forwarder that lags blocks steps up, but no rollback") {
  Ready world;
  world.forwarders[1].deaf = true;
  REQUIRE(world.controller->start(world.canary("start", {1000, 10000}, 5000), world.now)->accepted());
  for (int i = 0; i < 30; ++i) REQUIRE(world.second().has_value());
  CHECK(world.phase() == "shifting");
  CHECK(world.controller->get("web", world.now)->rollout().forwarders_lagging_size() == 1);
  v1::RollbackRequest back;
  *back.mutable_head() = world.head("back");
  back.set_service("web");
  REQUIRE(world.controller->rollback(back, world.now)->accepted());
  CHECK(world.forwarders[0].weight_of("v2") == 0);
  CHECK(world.run_until("rolled_back", 40) >= 0);
}

TEST_CASE("steps up wait a minute for a forwarder that fell silent, then go on without it") {
  Ready world({"edge-1", "edge-2"});
  REQUIRE(world.controller->start(world.canary("start", {1000, 5000}, 5000), world.now)->accepted());
  REQUIRE(world.run_until("baking", 20) >= 0);
  world.forwarders[1].silent = world.forwarders[1].deaf = true;
  int waited = 0;
  for (int i = 0; i < 150 && world.phase() != "promoted"; ++i) {
    REQUIRE(world.second().has_value());
    waited += world.controller->get("web", world.now)->rollout().waiting_for() == "forwarder edge-2 to apply the weights";
  }
  CHECK(world.phase() == "promoted");
  CHECK((waited > 45 && waited < 65));
}

TEST_CASE("a canary without healthy replicas is rolled back at once, unless stable has none either") {
  Ready world;
  REQUIRE(world.controller->start(world.canary("start", {1000, 5000}, 50000), world.now)->accepted());
  REQUIRE(world.run_until("baking", 20) >= 0);
  const auto modules_are = [&](v1::Health stable, v1::Health canary) {
    for (const auto& [version, health] : {std::pair("v1", stable), std::pair("v2", canary)}) {
      v1::Module module;
      module.set_name(std::string(version) + "-1");
      module.set_service("web");
      module.set_version(version);
      module.set_protocol(v1::PROTOCOL_HTTP);
      module.set_data_address("127.0.0.1:9000");
      module.mutable_state()->set_health(health);
      world.hear(bus::make_topic("modules", {"web", module.name()}), module.SerializeAsString());
    }
  };
  modules_are(v1::HEALTH_UNHEALTHY, v1::HEALTH_UNHEALTHY);   // as a registry that has checked nobody, or an outage of both
  for (int i = 0; i < 10; ++i) REQUIRE(world.second().has_value());
  CHECK(world.phase() == "baking");
  modules_are(v1::HEALTH_HEALTHY, v1::HEALTH_UNHEALTHY);
  CHECK(world.run_until("rolled_back", 5) >= 0);
  CHECK_THAT(world.controller->get("web", world.now)->rollout().reason(), Catch::Matchers::Contains("no canary replica is healthy"));
}

TEST_CASE("a second start is refused, says what is running, and what is legal now") {
  Ready world;
  REQUIRE(world.controller->start(world.canary("start", {1000, 10000}, 5000), world.now)->accepted());
  const auto reply = *world.controller->start(world.canary("second", {1000, 10000}, 5000), world.now);
  CHECK_FALSE(reply.accepted());
  CHECK_THAT(reply.refused(), Catch::Matchers::Contains("from v1 to v2 is holding: legal now: pause, promote --full, abort, rollback"));
  const auto again = *world.controller->start(world.canary("second", {1000, 10000}, 5000), world.now);
  CHECK(again.repeated_request());
  CHECK(again.refused() == reply.refused());
}

TEST_CASE("the same request id gets the first answer, also after a restart, and changes nothing") {
  Ready world;
  const auto request = world.canary("start", {1000, 10000}, 5000);
  const auto first = *world.controller->start(request, world.now);
  REQUIRE(first.accepted());
  world.open();
  const auto second = *world.controller->start(request, world.now);
  CHECK(second.repeated_request());
  CHECK(second.revision() == first.revision());
  CHECK(world.controller->get("web", world.now)->revision() == 1);
}

TEST_CASE("compare and set: another revision than expected is refused") {
  Ready world;
  auto request = world.canary("start", {1000, 10000}, 5000);
  request.mutable_head()->set_expect_revision(5);
  const auto reply = *world.controller->start(request, world.now);
  CHECK_FALSE(reply.accepted());
  CHECK_THAT(reply.refused(), Catch::Matchers::Contains("revision is 0, not 5"));
  request.mutable_head()->set_request_id("with the right one");
  request.mutable_head()->set_expect_revision(0);
  CHECK(world.controller->start(request, world.now)->accepted());
}

TEST_CASE("compare and set holds for init, too: a service that isn't there yet has revision 0, and so has one that nothing happened to") {
  Ready world;
  v1::InitRequest request;
  const auto init = [&](const char* service, std::uint64_t expected) {
    request.mutable_head()->set_request_id(std::string(service) + std::to_string(expected));
    request.mutable_head()->set_expect_revision(expected);
    request.set_service(service);
    request.set_stable_version("v1");
    return *world.controller->init(request, world.now);
  };
  for (const auto* service : {"new", "web"}) {
    const auto refused = init(service, 77);
    CHECK_FALSE(refused.accepted());
    CHECK(refused.refused() == "init is refused: revision is 0, not 77: look again, then repeat");
  }
  CHECK_FALSE(world.controller->get("new", world.now).has_value());
  CHECK(init("new", 0).accepted());
  CHECK(init("web", 0).accepted());
}

TEST_CASE("a request without an id or with a bad name is the caller's mistake") {
  Ready world;
  auto request = world.canary("", {1000}, 5000);
  CHECK(world.controller->start(request, world.now).error().kind == ErrorKind::usage);
  request = world.canary("x", {1000}, 5000);
  request.set_to_version("v 2/");
  CHECK(world.controller->start(request, world.now).error().kind == ErrorKind::usage);
  request = world.canary("y", {5000, 1000}, 5000);
  CHECK(world.controller->start(request, world.now).error().kind == ErrorKind::usage);
  request = world.canary("z", {1000}, 5000);
  request.set_service("unknown");
  CHECK(world.controller->start(request, world.now).error().kind == ErrorKind::not_found);
}

TEST_CASE("pause holds the weight, set-weight moves it by hand, resume goes on, promote ends it") {
  Ready world;
  REQUIRE(world.controller->start(world.canary("start", {1000, 5000, 10000}, 20000), world.now)->accepted());
  REQUIRE(world.run_until("baking", 20) >= 0);
  REQUIRE(world.controller->control(control(world, "p", v1::ControlCanaryRequest::VERB_PAUSE), world.now)->accepted());
  for (int i = 0; i < 60; ++i) REQUIRE(world.second().has_value());
  CHECK(world.phase() == "paused");
  v1::SetWeightRequest weight;
  *weight.mutable_head() = world.head("w");
  weight.set_service("web");
  weight.set_canary_weight_per_10000(250);
  REQUIRE(world.controller->set_weight(weight, world.now)->accepted());
  CHECK(world.forwarders[0].weight_of("v2") == 250);
  REQUIRE(world.controller->control(control(world, "r", v1::ControlCanaryRequest::VERB_RESUME), world.now)->accepted());
  CHECK(world.run_until("baking", 20) >= 0);
  REQUIRE(world.controller->control(control(world, "full", v1::ControlCanaryRequest::VERB_PROMOTE_FULL), world.now)->accepted());
  CHECK(world.run_until("promoted", 20) >= 0);
}

TEST_CASE("switch is refused where the new version has no healthy module, unless forced; undo goes back to a revision") {
  Ready world;
  v1::SwitchRequest request;
  *request.mutable_head() = world.head("s1");
  request.set_service("web");
  request.set_to_version("v9");
  const auto refused = *world.controller->switch_over(request, world.now);
  CHECK_FALSE(refused.accepted());
  CHECK_THAT(refused.refused(), Catch::Matchers::Contains("no healthy module has version v9"));
  *request.mutable_head() = world.head("s2");
  request.set_to_version("v2");
  REQUIRE(world.controller->switch_over(request, world.now)->accepted());
  CHECK(world.run_until("promoted", 10) >= 0);
  CHECK(world.run_until("idle", 70) >= 0);
  *request.mutable_head() = world.head("s3");
  request.set_to_version("v1");
  REQUIRE(world.controller->switch_over(request, world.now)->accepted());
  CHECK(world.run_until("promoted", 10) >= 0);
  v1::UndoRequest undo;
  *undo.mutable_head() = world.head("u");
  undo.set_service("web");
  undo.set_to_revision(1);
  REQUIRE(world.controller->undo(undo, world.now)->accepted());
  CHECK(world.run_until("promoted", 10) >= 0);
  CHECK(world.forwarders[0].weight_of("v2") == 10000);
}

TEST_CASE("a group steps together, and an alarm at one site rolls back all, or freezes the others") {
  Ready world({"eu-1", "us-1"});
  const bool freeze = GENERATE(false, true);
  auto request = world.canary("start", {2000, 10000}, 30000);
  request.add_sites("eu");
  request.add_sites("us");
  if (freeze) request.set_on_group_alarm(v1::ON_GROUP_ALARM_FREEZE);
  REQUIRE(world.controller->start(request, world.now)->accepted());
  REQUIRE(world.run_until("baking", 20) >= 0);
  REQUIRE(world.forwarders[1].weight_of("v2") > 0);
  // Only the American clients meet the bug.
  for (int i = 0; i < 40 && world.phase() != "frozen" && world.phase() != "rolled_back"; ++i) {
    world.now += std::chrono::seconds(1);
    for (auto& forwarder : world.forwarders) {
      auto versions = world.versions;
      if (forwarder.name() == "us-1") versions["v2"].failing = 0.2;
      for (auto& [topic, payload] : forwarder.second(versions)) world.hear(topic, payload);
    }
    REQUIRE(world.controller->tick(world.now).has_value());
  }
  CHECK(world.phase() == (freeze ? "frozen" : "rolled_back"));
  CHECK(world.forwarders[1].weight_of("v2") == 0);
  CHECK((world.forwarders[0].weight_of("v2") > 0) == freeze);
}

TEST_CASE("a store that refuses: nothing moves, nothing is published, and the alarm is not forgotten") {
  Ready world;
  REQUIRE(world.controller->start(world.canary("start", {1000, 10000}, 60000), world.now)->accepted());
  REQUIRE(world.run_until("baking", 20) >= 0);
  for (int i = 0; i < 10; ++i) REQUIRE(world.second().has_value());
  world.versions["v2"].failing = 0.3;
  world.store.full = true;
  const auto weight = world.forwarders[0].weight_of("v2");
  for (int i = 0; i < 20; ++i) (void)world.second();
  CHECK(world.controller->pending());
  CHECK(world.forwarders[0].weight_of("v2") == weight);
  CHECK(world.controller->start(world.canary("other", {1000}, 1), world.now).error().kind == ErrorKind::unavailable);
  world.store.full = false;
  REQUIRE(world.second().has_value());
  CHECK(world.forwarders[0].weight_of("v2") == 0);
}

TEST_CASE("metrics follow the versions, and series of gone versions go") {
  Ready world;
  REQUIRE(world.controller->start(world.canary("start", {10000}, 1000), world.now)->accepted());
  REQUIRE(world.run_until("promoted", 30) >= 0);
  const auto text = [&] {
    metrics::Snapshot snapshot;
    world.controller->collect(snapshot);
    return metrics::exposition(snapshot);
  };
  CHECK_THAT(text(), Catch::Matchers::Contains(R"(nlb_bluegreen_traffic_split{protocol="http",version="v2",color="green"} 100)"));
  CHECK_THAT(text(), Catch::Matchers::Contains(R"(nlb_bluegreen_deployments_total{protocol="http",status="promoted"} 1)"));
  REQUIRE(world.run_until("idle", 70) >= 0);
  CHECK_THAT(text(), !Catch::Matchers::Contains("version=\"v1\""));
}
