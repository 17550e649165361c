// The guard around every driver, with a driver that does whatever a test wants.
#include <atomic>
#include <mutex>
#include <condition_variable>

#include <catch2/catch.hpp>

#include "libnlb/orchestrator/health.hpp"
#include "tests/integration/orchestrator/support.hpp"

namespace nlb::orchestrator::test {
namespace {

struct Script {   // shared by the test and its driver
  std::mutex mutex;
  std::condition_variable changed;
  bool hang = false;
  std::optional<Error> error;
  Observation seen;
  std::atomic<int> calls{0}, removing{0}, removing_most{0};

  void wait() {
    std::unique_lock lock(mutex);
    changed.wait(lock, [this] { return !hang; });
  }
  void set_hang(bool value) {
    const std::lock_guard lock(mutex);
    hang = value;
    changed.notify_all();
  }
};

struct ScriptDriver : Driver {
  explicit ScriptDriver(std::shared_ptr<Script> s) : script(std::move(s)) {}
  template <class T> Result<T> say(T value) {
    ++script->calls;
    script->wait();
    const std::lock_guard lock(script->mutex);
    if (script->error) return tl::unexpected(*script->error);
    return value;
  }
  std::string_view kind() const override { return "script"; }
  Result<Observation> observe(MonoTime) override { return say(script->seen); }
  Result<> set(std::uint32_t, const std::string&, MonoTime) override {
    const auto said = say(0);
    return said ? Result<>() : tl::unexpected(said.error());
  }
  Result<> remove(const std::string&, Duration, MonoTime) override {
    script->removing_most = std::max<int>(script->removing_most, ++script->removing);
    const auto said = say(0);
    --script->removing;
    return said ? Result<>() : tl::unexpected(said.error());
  }
  std::shared_ptr<Script> script;
};

TargetOptions quick() {
  TargetOptions out;
  out.observe_deadline = out.set_deadline = std::chrono::milliseconds(50);
  out.backoff_first = std::chrono::minutes(1);
  return out;
}

Observation three_of(std::uint32_t desired) {
  Observation out;
  out.desired = desired;
  for (const auto* id : {"a", "b", "c"}) out.instances.push_back({id, "v1", InstanceState::ready, "", {}, 0, ""});
  return out;
}

}  // namespace

TEST_CASE("a driver that hangs is answered for at its deadline, raises the alarm at once, and its late answer is dropped") {
  const auto script = std::make_shared<Script>();
  Target target(std::make_unique<ScriptDriver>(script), quick());
  script->set_hang(true);
  const auto before = std::chrono::steady_clock::now();
  const auto seen = observe(target);
  REQUIRE_FALSE(seen);
  CHECK(seen.error().kind == ErrorKind::timeout);
  CHECK(std::chrono::steady_clock::now() - before < std::chrono::seconds(10));
  CHECK(target.status().alarm);
  CHECK(target.status().alarm_text.find("observe on script has not ended by its deadline") != std::string::npos);
  script->set_hang(false);
  CHECK(eventually([&] { return target.status().verbs[0].late == 1; }));
  CHECK(target.status().verbs[0].done == 0);
}

TEST_CASE("a target that hangs for ever doesn't hold up its owner's end") {
  const auto script = std::make_shared<Script>();
  script->set_hang(true);
  const auto before = std::chrono::steady_clock::now();
  { Target target(std::make_unique<ScriptDriver>(script), quick()); CHECK_FALSE(observe(target)); }
  CHECK(std::chrono::steady_clock::now() - before < std::chrono::seconds(10));
  script->set_hang(false);
}

TEST_CASE("after a failure the verb is held back without trying, the others go on, and a success clears the alarm") {
  const auto script = std::make_shared<Script>();
  auto options = quick();
  options.backoff_first = std::chrono::milliseconds(200);
  options.alarm_after = 1;
  Target target(std::make_unique<ScriptDriver>(script), options);
  script->error = Error{ErrorKind::unavailable, "no room"};
  CHECK(observe(target).error().text == "no room");
  const auto calls = script->calls.load();
  const auto held = observe(target);
  REQUIRE_FALSE(held);
  CHECK(held.error().text.find("observe waits ") == 0);
  CHECK(held.error().text.find("after 1 failures: no room") != std::string::npos);
  CHECK(script->calls == calls);
  CHECK(target.status().alarm);
  script->error.reset();
  CHECK(set(target, 2));
  CHECK(eventually([&] { return observe(target).has_value(); }));
  CHECK_FALSE(target.status().alarm);
  CHECK(target.status().verbs[0].last_error->text == "no room");
}

TEST_CASE("a lost compare-and-set is an answer and no failure: nothing is held back") {
  const auto script = std::make_shared<Script>();
  script->error = Error{ErrorKind::conflict, "changed"};
  Target target(std::make_unique<ScriptDriver>(script), quick());
  for (int i = 0; i < 4; ++i) CHECK(set(target, 2).error().text == "changed");
  CHECK(target.status().verbs[1].conflicts == 4);
  CHECK_FALSE(target.status().alarm);
}

TEST_CASE("removals run beside each other up to their limit, and observe beside them") {
  const auto script = std::make_shared<Script>();
  auto options = quick();
  options.removes_max = 2;
  options.observe_deadline = std::chrono::seconds(20);
  Target target(std::make_unique<ScriptDriver>(script), options);
  script->set_hang(true);
  std::vector<Promise<void>> promises(5);
  for (auto& one : promises) target.remove("x", std::chrono::seconds(5), one.answer());
  CHECK(eventually([&] { return script->removing == 2; }));
  CHECK(target.status().waiting == 3);
  script->set_hang(false);
  CHECK(observe(target));
  for (auto& one : promises) CHECK(wait_for(one.future()));
  CHECK(script->removing_most == 2);
}

TEST_CASE("more actions than may wait are refused, each with its answer") {
  const auto script = std::make_shared<Script>();
  auto options = quick();
  options.waiting_max = 2;
  options.set_deadline = std::chrono::seconds(20);
  Target target(std::make_unique<ScriptDriver>(script), options);
  script->set_hang(true);
  Promise<void> first, second, third;
  target.set(1, "", first.answer());
  target.set(1, "", second.answer());
  target.set(1, "", third.answer());
  CHECK(wait_for(third.future()).error().text.find("2 actions waiting") != std::string::npos);
  script->set_hang(false);
  CHECK(wait_for(first.future()));
  CHECK(wait_for(second.future()));
}

TEST_CASE("answers come through the owner's loop when it gives one") {
  const auto script = std::make_shared<Script>();
  std::promise<std::function<void()>> posted;
  Target target(std::make_unique<ScriptDriver>(script), quick(), [&](std::function<void()> work) { posted.set_value(std::move(work)); });
  std::thread::id answered_on;
  target.observe([&](Result<Observation>) { answered_on = std::this_thread::get_id(); });
  posted.get_future().get()();
  CHECK(answered_on == std::this_thread::get_id());
}

TEST_CASE("a target that lies about its count is found out") {
  const auto now = MonoTime(std::chrono::hours(1));
  SECTION("it accepted another count, and says so twice") {
    Honesty honesty(std::chrono::minutes(2));
    honesty.accepted(5);
    CHECK(honesty.judge(three_of(3), now).empty());
    CHECK(honesty.judge(three_of(3), now) == "accepted 5 replicas and now says 3 are wanted: does another autoscaler or a person change them?");
    honesty.forget();
    CHECK(honesty.judge(three_of(3), now).empty());
  }
  SECTION("it shows another number than it says, at rest, for long") {
    Honesty honesty(std::chrono::minutes(2));
    CHECK(honesty.judge(three_of(5), now).empty());
    CHECK(honesty.judge(three_of(5), now + std::chrono::minutes(1)).empty());
    CHECK(honesty.judge(three_of(5), now + std::chrono::minutes(2)).find("shows 3 for 2m") != std::string::npos);
    CHECK(honesty.judge(three_of(3), now + std::chrono::minutes(3)).empty());
  }
  SECTION("it shows the same one twice") {
    Honesty honesty(std::chrono::minutes(2));
    auto seen = three_of(3);
    seen.instances[2].id = "a";
    CHECK(honesty.judge(seen, now) == "lists instance 'a' twice: its count can't be trusted");
  }
  SECTION("something starts or stops: no judgement of numbers") {
    Honesty honesty(std::chrono::seconds(0));
    auto seen = three_of(5);
    seen.instances[0].state = InstanceState::starting;
    CHECK(honesty.judge(seen, now).empty());
  }
}

TEST_CASE("back-off doubles up to its limit, gives half of it to chance, and obeys a longer wish") {
  const auto now = MonoTime(std::chrono::hours(1));
  Backoff backoff(std::chrono::seconds(1), std::chrono::seconds(8), 7);
  for (const double full : {1.0, 2.0, 4.0, 8.0, 8.0}) {
    backoff.failed(now);
    CHECK(to_seconds(backoff.left(now)) <= full);
    CHECK(to_seconds(backoff.left(now)) >= full / 2);
  }
  backoff.failed(now, std::chrono::seconds(30));
  CHECK(backoff.left(now) == std::chrono::seconds(30));
  backoff.succeeded();
  CHECK(backoff.left(now) == Duration{});
}

TEST_CASE("who goes first: failed, starting, then the youngest; who goes already isn't chosen again") {
  std::vector<Instance> all = {{"old", "", InstanceState::ready, "", std::chrono::hours(2), 0, ""},
                               {"young", "", InstanceState::ready, "", std::chrono::hours(1), 0, ""},
                               {"starting", "", InstanceState::starting, "", std::chrono::seconds(1), 0, ""},
                               {"failed", "", InstanceState::failed, "", std::chrono::hours(3), 0, ""},
                               {"stopping", "", InstanceState::stopping, "", std::chrono::hours(3), 0, ""}};
  CHECK(who_goes(all, 3) == std::vector<std::string>{"failed", "starting", "young"});
  CHECK(who_goes(all, 9).size() == 4);
  CHECK(who_goes(all, 0).empty());
}

}  // namespace nlb::orchestrator::test
