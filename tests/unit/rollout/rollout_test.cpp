#include <catch2/catch.hpp>

#include "tests/support/rollout_world.hpp"

using namespace nlb;
using namespace nlb::rollout;
using namespace nlb::rollout::testing;

namespace {

World started(Plan plan = plan_to("v2")) {
  World world;
  REQUIRE(world.command(verb(Input::start, std::move(plan))));
  return world;
}

bool all_on_stable(const World& world, const std::string& stable) {
  for (const auto& site : world.forwarders)
    for (const auto& applied : site)
      if (applied.candidate_weight != 0 || applied.stable != stable) return false;
  return true;
}

}  // namespace

TEST_CASE("a good canary goes up the steps, is promoted, and the old version is retired after its time") {
  auto world = started();
  std::vector<std::uint32_t> weights;
  while (world.rollout.phase() != Phase::promoted && world.now < 1000) {
    world.second();
    if (weights.empty() || weights.back() != world.rollout.weight()) weights.push_back(world.rollout.weight());
  }
  CHECK(weights == std::vector<std::uint32_t>{1000, 5000, 10000});
  CHECK((world.now >= 120 && world.now < 130));
  CHECK(world.rollout.history().back().outcome == "promoted");
  REQUIRE(world.run_until(Phase::idle));
  CHECK(all_on_stable(world, "v2"));
  CHECK(world.done.back().kind == ActionKind::publish_split);
  CHECK(std::any_of(world.done.begin(), world.done.end(), [](const Action& a) { return a.kind == ActionKind::retire_version && a.text == "v1"; }));
}

TEST_CASE("rollback from every step ends with stable at 100 %") {
  for (std::uint32_t weight : {1000u, 5000u, 10000u})
    for (auto input : {Input::rollback, Input::abort}) {
      auto world = started();
      while (world.rollout.weight() != weight && world.now < 1000) world.second();
      REQUIRE(world.command(verb(input)));
      CHECK(all_on_stable(world, "v1"));
      REQUIRE(world.run_until(Phase::rolled_back));
      CHECK(all_on_stable(world, "v1"));
      world.run(1000);
      CHECK(all_on_stable(world, "v1"));
    }
}

TEST_CASE("a promoted version is rolled back with one message while the old is warm") {
  auto world = started();
  REQUIRE(world.run_until(Phase::promoted));
  REQUIRE(world.command(verb(Input::rollback)));
  CHECK(all_on_stable(world, "v1"));
  REQUIRE(world.run_until(Phase::rolled_back));
  CHECK(world.rollout.history().back().serving() == "v1");
}

TEST_CASE("the judge's alarm rolls back by itself and says why") {
  auto world = started();
  world.traffic[0].canary_bad = 5;
  REQUIRE(world.run_until(Phase::rolled_back, 60));
  CHECK(all_on_stable(world, "v1"));
  CHECK(world.rollout.reason().find("worse: failures: canary") == 0);
  CHECK(world.rollout.history().back().outcome == "rolled_back");
}

TEST_CASE("a canary without healthy replicas is rolled back at once") {
  auto world = started();
  world.run(5);
  world.health.canary_healthy = 0;
  world.second();
  CHECK(all_on_stable(world, "v1"));
}

TEST_CASE("a forwarder that lags blocks steps up, never a rollback") {
  auto world = started();
  world.run(3);
  REQUIRE(world.rollout.phase() == Phase::baking);
  world.forwarders[0].push_back(world.forwarders[0][0]);
  world.deliver = false;
  world.run(300);
  CHECK(world.rollout.phase() == Phase::shifting);
  CHECK(world.rollout.waits_for() == "forwarder f0 to apply the weights");
  world.forwarders[0][0] = world.rollout.split();
  world.run(10);
  CHECK(world.rollout.waits_for() == "forwarder f1 to apply the weights");
  REQUIRE(world.command(verb(Input::rollback)));
  CHECK(world.rollout.weight() == 0);
  world.forwarders[0][0] = world.rollout.split();
  CHECK(world.run_until(Phase::rolled_back, 40));   // after the settle time, though f1 never answered
}

TEST_CASE("a measured share far from the weight blocks the step") {
  auto world = started();
  world.second();
  REQUIRE(world.rollout.phase() == Phase::shifting);
  auto news = world.news();
  news[0].forwarders[0].candidate_sessions = 2000;   // 20 % where 10 % is wanted
  world.rollout.step(world.time(), news);
  CHECK(world.rollout.phase() == Phase::shifting);
  CHECK(world.rollout.waits_for().find("measure a share near 10 %") != std::string::npos);
  news[0].forwarders[0].clients = 20;                // of 20 clients that is no surprise
  world.rollout.step(world.time(), news);
  CHECK(world.rollout.phase() == Phase::baking);
}

TEST_CASE("without a live forwarder a rollout holds and says so") {
  auto world = started();
  world.forwarders[0].clear();
  world.rollout.step(world.time(), std::vector<SiteNews>(1));
  world.rollout.step(world.time(), std::vector<SiteNews>(1));
  CHECK(world.rollout.phase() == Phase::shifting);
  CHECK(world.rollout.waits_for() == "a live forwarder");
}

TEST_CASE("a step waits for the capacity that it needs") {
  auto plan = plan_to("v2");
  plan.needs_capacity = true;
  auto world = started(plan);
  world.capacity = 1000;
  world.run(200);
  CHECK(world.rollout.phase() == Phase::holding);
  CHECK(world.rollout.weight() == 1000);
  CHECK(world.rollout.waits_for() == "capacity for the next step");
  world.capacity = 5000;
  CHECK(world.run_until(Phase::promoted, 100));
}

TEST_CASE("a canary without room gets no more weight, is not blamed for it, and more capacity is asked for once") {
  for (const auto& full : {Room{0.95, 0, "edge"}, Room{0.2, 3, "edge"}}) {
    auto world = started();
    REQUIRE(world.run_until(Phase::baking));
    world.room = full;
    world.run(300);
    CHECK(world.rollout.phase() == Phase::baking);
    CHECK(world.rollout.weight() == 1000);
    CHECK(world.rollout.waits_for().find("capacity: at forwarder edge") == 0);
    CHECK(std::count_if(world.done.begin(), world.done.end(), [](const Action& a) { return a.kind == ActionKind::ask_capacity && a.weight == 5000; }) == 1);
    world.room = {0.89, 0, "edge"};
    CHECK(world.run_until(Phase::promoted, 200));
  }
}

TEST_CASE("a canary that stays without room is undecided at the deadline") {
  auto world = started();
  world.room = {1, 5, "edge"};
  REQUIRE(world.run_until(Phase::undecided));
  CHECK(world.rollout.weight() == 1000);
  CHECK(world.rollout.reason().find("waits for capacity: ") != std::string::npos);
}

TEST_CASE("too little traffic waits, and is undecided at the deadline") {
  auto world = started();
  world.traffic[0] = {0, 1, 0, 0};
  REQUIRE(world.run_until(Phase::waiting_for_traffic, 100));
  CHECK(world.rollout.weight() == 1000);
  REQUIRE(world.run_until(Phase::undecided));
  CHECK(world.now >= 3600);
  CHECK(world.rollout.weight() == 1000);
  CHECK(world.rollout.reason().find("waits for traffic") != std::string::npos);
  world.traffic[0] = {100, 900, 0, 1};
  REQUIRE(world.command(verb(Input::resume)));
  CHECK(world.run_until(Phase::promoted, 200));
}

TEST_CASE("undecided may mean rollback where the plan says so") {
  auto plan = plan_to("v2");
  plan.on_inconclusive = OnInconclusive::rollback;
  auto world = started(plan);
  world.traffic[0] = {};
  REQUIRE(world.run_until(Phase::rolled_back));
  CHECK(all_on_stable(world, "v1"));
}

TEST_CASE("pause keeps the weights, resume goes on with the same step") {
  auto world = started();
  world.run(30);
  REQUIRE(world.command(verb(Input::pause)));
  world.run(1000);
  CHECK(world.rollout.phase() == Phase::paused);
  CHECK(world.rollout.weight() == 1000);
  REQUIRE(world.command(verb(Input::resume)));
  CHECK(world.run_until(Phase::promoted, 200));
}

TEST_CASE("a weight set by hand is published and pauses") {
  auto world = started();
  world.run(30);
  auto command = verb(Input::set_weight);
  command.weight = 3300;
  REQUIRE(world.command(command));
  CHECK(world.forwarders[0][0].candidate_weight == 3300);
  CHECK(world.forwarders[0][0].stable_weight() == 6700);
  CHECK(world.rollout.phase() == Phase::paused);
  command.weight = weight_max;
  CHECK_FALSE(world.command(command));
}

TEST_CASE("a switch is instant, and so is the way back; undo goes to any revision") {
  World world;
  REQUIRE(world.command(verb(Input::switch_over, plan_to("v2"))));
  CHECK(world.forwarders[0][0].candidate_weight == weight_max);
  REQUIRE(world.run_until(Phase::promoted, 5));
  REQUIRE(world.command(verb(Input::switch_over, plan_to("v3"))));
  CHECK(world.forwarders[0][0].stable == "v2");
  REQUIRE(world.run_until(Phase::promoted, 5));
  auto undo = verb(Input::undo);
  undo.revision = 1;
  REQUIRE(world.command(undo));
  CHECK(world.forwarders[0][0].candidate == "v2");
  CHECK(world.forwarders[0][0].candidate_weight == weight_max);
  REQUIRE(world.run_until(Phase::promoted, 5));
  undo.revision = 77;
  CHECK(world.command(undo).error().kind == ErrorKind::not_found);
  undo.revision = 1;
  CHECK(world.command(undo).error().kind == ErrorKind::refused);   // v2 has the traffic already
}

TEST_CASE("a second start, a wrong verb and a stale revision are refused with what is legal") {
  auto world = started();
  CHECK(world.command(verb(Input::start, plan_to("v3"))).error().text ==
        "start is refused: the rollout of web is holding: legal now: pause, promote --full, abort, rollback");
  auto stale = verb(Input::pause);
  stale.expected_revision = 7;
  CHECK(world.command(stale).error().kind == ErrorKind::conflict);
  CHECK(world.command(verb(Input::alarmed)).error().kind == ErrorKind::refused);
}

TEST_CASE("retry begins the same plan from its first step") {
  auto world = started();
  world.run(90);
  REQUIRE(world.command(verb(Input::abort)));
  REQUIRE(world.run_until(Phase::rolled_back));
  const auto before = world.rollout.split().version;
  REQUIRE(world.command(verb(Input::retry)));
  world.run(3);
  CHECK(world.rollout.weight() == 1000);
  CHECK(world.rollout.split().version > before);
}

TEST_CASE("the first step begins with a few seconds at half its weight") {
  auto plan = plan_to("v2", "10:1m,50:1m");
  plan.first_contact = 3s;
  auto world = started(plan);
  world.second();
  CHECK(world.rollout.weight() == 500);
  world.run(5);
  CHECK(world.rollout.weight() == 1000);
  CHECK(world.run_until(Phase::promoted, 130));
  REQUIRE(world.command(verb(Input::rollback)));
  REQUIRE(world.run_until(Phase::rolled_back));
  REQUIRE(world.command(verb(Input::retry)));
  CHECK(format_steps(world.rollout.plan().steps) == "5:3s,10:57s,50:1m");
}

TEST_CASE("promote goes on to the next step without its bake time; --full to the end") {
  auto world = started(plan_to("v2", "10:10m,20:10m,50:10m"));
  world.run(5);
  REQUIRE(world.rollout.phase() == Phase::baking);
  REQUIRE(world.command(verb(Input::promote)));
  world.run(5);
  CHECK(world.rollout.weight() == 2000);
  CHECK(world.rollout.phase() == Phase::baking);      // this step has all of its own time
  CHECK(world.rollout.bake_left(world.time()) > 9min);
  auto by_hand = verb(Input::set_weight);
  by_hand.weight = 3000;
  REQUIRE(world.command(by_hand));
  REQUIRE(world.command(verb(Input::promote)));       // up from where it is, not from the step it was at
  world.run(5);
  CHECK(world.rollout.weight() == 5000);
  REQUIRE(world.command(verb(Input::promote)));       // no step is left
  CHECK(world.run_until(Phase::promoted, 5));
  CHECK(world.rollout.history().back().outcome == "promoted");
}

TEST_CASE("promote --full goes to the end from every phase in which weights move") {
  auto world = started(plan_to("v2", "10:10m,20:10m,50:10m"));
  world.run(5);
  REQUIRE(world.command(verb(Input::promote_full)));
  CHECK(world.run_until(Phase::promoted, 5));
  CHECK_FALSE(world.command(verb(Input::promote)));
}

TEST_CASE("a controller that comes back keeps the weights and promotes only after one more bake time") {
  auto world = started();
  world.run(115);   // seconds before the last step is over
  REQUIRE(world.rollout.weight() == 5000);
  const auto evidence = world.rollout.judge().evidence(0).log_e();
  world.restart(2);
  CHECK(world.rollout.weight() == 5000);
  CHECK(world.forwarders[0][0].epoch == 2);
  CHECK(world.rollout.judge().evidence(0).log_e() == Approx(evidence));
  const auto back = world.now;
  REQUIRE(world.run_until(Phase::promoted));
  CHECK(world.now - back >= 60);
}

TEST_CASE("a journal that was cut or mixed up is refused") {
  auto world = started();
  world.run(10);
  const auto text = to_json(world.rollout.save(world.time()));
  CHECK(to_json(*from_json(text)) == text);
  for (std::size_t length = 0; length < text.size(); length += 7) CHECK_FALSE(from_json(text.substr(0, length)));
  auto state = *from_json(text);
  state.step = 99;
  CHECK(from_json(to_json(state)).error().kind == ErrorKind::bad_input);
}

TEST_CASE("a group steps together, and an alarm anywhere rolls all back") {
  auto plan = plan_to("v2");
  plan.sites = {"eu", "us"};
  World world;
  world.forwarders = {{Split{}}, {Split{}}};
  world.traffic = {{100, 900, 0, 1}, {0, 1, 0, 0}};
  REQUIRE(world.command(verb(Input::start, plan)));
  world.run(200);
  CHECK(world.rollout.weight(0) == 1000);   // us has no traffic: eu waits with it
  CHECK(world.rollout.phase() == Phase::waiting_for_traffic);
  world.traffic[1] = {100, 900, 5, 1};
  REQUIRE(world.run_until(Phase::rolled_back, 60));
  CHECK(all_on_stable(world, "v1"));
  CHECK(world.rollout.reason().find("worse at us") == 0);
}

TEST_CASE("a group may freeze the others instead") {
  auto plan = plan_to("v2");
  plan.sites = {"eu", "us"};
  plan.on_group_alarm = OnGroupAlarm::freeze;
  World world;
  world.forwarders = {{Split{}}, {Split{}}};
  world.traffic = {{100, 900, 0, 1}, {100, 900, 5, 1}};
  REQUIRE(world.command(verb(Input::start, plan)));
  REQUIRE(world.run_until(Phase::frozen, 60));
  CHECK(world.rollout.weight(0) == 1000);
  CHECK(world.rollout.weight(1) == 0);
  world.run(500);
  CHECK(world.rollout.phase() == Phase::frozen);
  REQUIRE(world.command(verb(Input::rollback)));
  REQUIRE(world.run_until(Phase::rolled_back));
  CHECK(all_on_stable(world, "v1"));
}

TEST_CASE("a raised r0 reaches the judge and the journal") {
  auto world = started();
  world.run(5);
  CHECK(world.rollout.tolerate(1.5).journal);
  CHECK(world.rollout.judge().options().tolerated_ratio == 1.5);
  world.restart(2);
  CHECK(world.rollout.judge().options().tolerated_ratio == 1.5);
}
