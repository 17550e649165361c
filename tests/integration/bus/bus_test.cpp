// The bus over real sockets: joining late, losing messages, restarts, strangers, and how fast a large snapshot arrives.
#include <catch2/catch.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <fstream>

#include "libnlb/bus/codec_topic.hpp"
#include "libnlb/bus/print.hpp"
#include "libnlb/bus/records.hpp"
#include "libnlb/bus/state_dir.hpp"
#include "tests/integration/bus/ends.hpp"
#include "tests/support/registry_records.hpp"

using namespace nlb;
using namespace nlb::testing;

TEST_CASE("a subscriber that joins late has everything, and the news after it") {
  Folder folder;
  const auto owner = own(folder.ipc());
  REQUIRE(owner->publish("modules/web/a", "1").has_value());
  Copied copied;
  const auto subscriber = listen(folder.ipc(), copied);
  CHECK(copied.wait_value("modules/web/a", "1"));
  REQUIRE(owner->publish("modules/web/b", "2").has_value());
  CHECK(copied.wait_value("modules/web/b", "2"));
  REQUIRE(owner->withdraw("modules/web/a").has_value());
  CHECK(copied.wait([](const auto& values) { return !values.contains("modules/web/a"); }));
}

TEST_CASE("a peer that isn't up yet is no error, and nothing published while joining is lost") {
  Folder folder;
  Copied copied;
  const auto subscriber = listen(folder.ipc(), copied);
  const auto owner = own(folder.ipc());
  for (int i = 0; i < 2000; ++i) REQUIRE(owner->publish("modules/web/m" + std::to_string(i % 100), std::to_string(i)).has_value());
  CHECK(copied.wait_value("modules/web/m99", "1999"));
  CHECK(copied.wait([](const auto& values) { return values.size() == 100; }));
}

TEST_CASE("a subscriber of one class gets that class only") {
  Folder folder;
  const auto owner = own(folder.ipc());
  REQUIRE(owner->publish("modules/web/a", "1").has_value());
  REQUIRE(owner->publish("splits/web", "2").has_value());
  Copied copied;
  Options options;
  options.subscriber.classes = {"splits"};
  const auto subscriber = listen(folder.ipc(), copied, std::move(options));
  CHECK(copied.wait_value("splits/web", "2"));
  REQUIRE(owner->publish("modules/web/a", "3").has_value());
  REQUIRE(owner->publish("splits/web", "4").has_value());
  CHECK(copied.wait_value("splits/web", "4"));
  CHECK(copied.wait([](const auto& values) { return values.size() == 1; }));
  CHECK(subscriber->status().peers[0].counters.gaps == 0);
}

TEST_CASE("a subscriber that was too slow loses messages, notices, and has the same in the end") {
  Folder folder;
  Options small;
  small.high_water_mark = 20;
  const auto owner = own(folder.ipc(), 1, small);
  std::mutex gate;
  std::unique_lock closed(gate);
  Copied copied;
  Options options;
  options.high_water_mark = 20;
  options.subscriber.beat_interval = 200ms;
  options.peers.push_back({folder.ipc()});
  auto subscriber = Bus::start(std::move(options), [&](const PeerChange& change) {
    copied.take(change);
    std::lock_guard wait(gate);          // the bus's thread stands still, as in a stopped process
  });
  REQUIRE(subscriber.has_value());
  REQUIRE(owner->publish("modules/web/first", "x").has_value());
  REQUIRE(copied.wait_value("modules/web/first", "x"));
  const std::string large(20000, 'x');   // so that the kernel's buffers fill up too
  for (int i = 0; i < 5000; ++i) REQUIRE(owner->publish("modules/web/m" + std::to_string(i % 50), large + std::to_string(i)).has_value());
  REQUIRE(eventually([&] { return owner->status().head_seq == 5001; }, 30s));
  CHECK(owner->status().slow_subscriber_drops > 0);
  closed.unlock();
  CHECK(copied.wait([&](const auto& values) { return values.size() == 51 && values.at("modules/web/m49") == large + "4999"; }, 30s));
  // A hole, a beat ahead of it, or, where its stand-still was long, the silence: each makes it catch up.
  CHECK(eventually([&] {
    const auto c = (*subscriber)->status().peers[0].counters;
    return c.gaps + c.behind + c.reconnects > 0;
  }));
}

TEST_CASE("an owner that restarts has a greater epoch, and one that forgot everything empties nothing") {
  Folder folder;
  Copied copied;
  auto owner = own(folder.ipc(), 10);
  for (int i = 0; i < 4; ++i) REQUIRE(owner->publish("modules/web/m" + std::to_string(i), "old").has_value());
  const auto subscriber = listen(folder.ipc(), copied);
  REQUIRE(copied.wait([](const auto& values) { return values.size() == 4; }));
  owner.reset();
  owner = own(folder.ipc(), 11);
  REQUIRE(eventually([&] { return subscriber->status().peers[0].epoch == 11; }));
  CHECK(eventually([&] { return subscriber->status().peers[0].quarantined == 4; }));
  CHECK(copied.wait([](const auto& values) { return values.size() == 4; }));
  REQUIRE(owner->publish("modules/web/m0", "new").has_value());
  CHECK(copied.wait_value("modules/web/m0", "new"));
  owner.reset();
  owner = own(folder.ipc(), 5);          // somebody from the past
  REQUIRE(owner->publish("modules/web/m0", "past").has_value());
  CHECK(eventually([&] { return subscriber->status().peers[0].counters.refused_epoch > 0; }));
  CHECK(copied.wait_value("modules/web/m0", "new"));
}

TEST_CASE("silence makes the copy stale; it stays") {
  Folder folder;
  Copied copied;
  auto owner = own(folder.ipc());
  REQUIRE(owner->publish("modules/web/a", "1").has_value());
  const auto subscriber = listen(folder.ipc(), copied);
  REQUIRE(copied.wait_value("modules/web/a", "1"));
  owner.reset();
  CHECK(eventually([&] { return subscriber->status().peers[0].phase == SubscriberState::Phase::stale; }));
  CHECK(subscriber->copies().begin()->second.facts.size() == 1);
}

TEST_CASE("a second process on one directory is refused by name before it can bind, and epochs only grow") {
  Folder folder;
  const auto dir = folder.path + "/state";
  auto lock = DirectoryLock::take(dir);
  REQUIRE(lock.has_value());
  const auto child = ::fork();
  if (child == 0) _exit(DirectoryLock::take(dir).has_value() ? 0 : 42);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WEXITSTATUS(status) == 42);
  const auto again = DirectoryLock::take(dir);
  REQUIRE_FALSE(again.has_value());
  CHECK_THAT(again.error().text, Catch::Matchers::Contains("process " + std::to_string(::getpid()) + " has it"));
  CHECK(next_epoch(dir, 1000).value() == 1000);
  CHECK(next_epoch(dir, 1000).value() == 1001);
  CHECK(next_epoch(dir, 500).value() == 1002);          // the clock went back
  std::filesystem::remove(dir + "/epoch");              // a lost disk falls back on the clock
  CHECK(next_epoch(dir, 2000).value() == 2000);
  { std::ofstream(dir + "/epoch") << "garbage"; }
  CHECK(next_epoch(dir, 3000).value() == 3000);
  CHECK(owner_id(dir, 77 << 11).value() == 77);
  CHECK(owner_id(dir, 78 << 11).value() == 77);               // the same over restarts
}

TEST_CASE("tcp without keys is refused unless insecure") {
  Options options;
  options.owner = OwnerOptions{.id = 1, .epoch = 1};
  options.publish = "tcp://127.0.0.1:*";
  const auto refused = Bus::start(options, {});
  REQUIRE_FALSE(refused.has_value());
  CHECK_THAT(refused.error().text, Catch::Matchers::Contains("tcp needs CURVE"));
  options.insecure = true;
  CHECK(Bus::start(options, {}).has_value());
}

TEST_CASE("ten thousand records are with a new subscriber in under 200 ms") {
  Folder folder;
  const auto owner = own(folder.ipc());
  for (int i = 0; i < 10000; ++i) {
    const auto module = nlb::testing::record("module-" + std::to_string(i));
    REQUIRE(owner->publish(make_topic("modules", {"web", module.name}), to_proto(module).SerializeAsString()).has_value());
  }
  REQUIRE(eventually([&] { return owner->status().head_seq == 10000; }));
  auto best = Duration::max();
  for (int i = 0; i < 3; ++i) {
    Copied copied;
    const auto before = Clock::now();
    const auto subscriber = listen(folder.ipc(), copied);
    REQUIRE(copied.wait([](const auto& values) { return values.size() == 10000; }));
    best = std::min(best, Duration(Clock::now() - before));
  }
  WARN("10,000 records: " << best / 1ms << " ms");
#if defined(NDEBUG)
  CHECK(best < 200ms);
#endif
}

TEST_CASE("signals leave the bus's threads alone: one in the middle of a receive would end the process") {
  static std::atomic<int> taken{0};
  taken = 0;
  Folder folder;
  const auto owner = own(folder.ipc());
  Copied copied;
  const auto subscriber = listen(folder.ipc(), copied);
  struct sigaction counts {}, before {};
  counts.sa_handler = [](int) { ++taken; };
  sigaction(SIGUSR1, &counts, &before);
  sigset_t one, unblocked;
  sigemptyset(&one);
  sigaddset(&one, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &one, &unblocked);    // only the bus's threads could take it
  for (int i = 0; i < 20000; ++i) {
    ::kill(::getpid(), SIGUSR1);
    REQUIRE(owner->publish("modules/web/a", std::to_string(i)).has_value());
  }
  CHECK(copied.wait_value("modules/web/a", "19999"));
  CHECK(taken == 0);
  pthread_sigmask(SIG_SETMASK, &unblocked, nullptr);
  CHECK(taken == 1);                               // it was pending
  sigaction(SIGUSR1, &before, nullptr);
}
