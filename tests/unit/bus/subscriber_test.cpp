// The failure table of the bus, row by row, between one owner and one subscriber without a network.
#include <catch2/catch.hpp>

#include "libnlb/bus/codec_topic.hpp"
#include "libnlb/bus/owner_state.hpp"
#include "libnlb/bus/subscriber_state.hpp"

using namespace nlb;
using namespace nlb::bus;
using Phase = SubscriberState::Phase;

namespace {

struct Pair {
  MonoTime now{};
  OwnerState owner;
  SubscriberState subscriber;
  std::vector<Change> changes;

  explicit Pair(std::uint64_t epoch = 100, SubscriberOptions options = {}, OwnerOptions more = {})
      : owner(with(std::move(more), epoch)), subscriber(std::move(options), 1, now) {}
  static OwnerOptions with(OwnerOptions options, std::uint64_t epoch) {
    options.id = 1;
    options.name = "registry";
    options.epoch = epoch;
    return options;
  }
  Message publish(std::string_view topic, std::string text) {
    const auto update = owner.publish(topic, make_payload(std::move(text)), now);
    REQUIRE(update.has_value());
    return {update->topic, owner.header(*update, now), update->payload};
  }
  Message withdraw(std::string_view topic) {
    const auto update = owner.withdraw(topic, now);
    REQUIRE(update.has_value());
    return {update->topic, owner.header(*update, now), nullptr};
  }
  void take(Effects effects, bool answer = true) {
    std::move(effects.changes.begin(), effects.changes.end(), std::back_inserter(changes));
    if (!effects.request || !answer) return;
    for (auto& chunk : owner.answer(*effects.request)) take(subscriber.chunk(std::move(chunk), now));
  }
  void hear(Message message) { take(subscriber.news(std::move(message), now)); }
  void beat(bool answer = true) { take(subscriber.beat(owner.header_of_beat(make_payload("")), owner.beat(), now), answer); }
  void pass(Duration d, bool answer = true) {
    for (const auto end = now + d; now < end; now += 50ms) take(subscriber.tick(now), answer);
  }
  void restart(std::uint64_t epoch) { owner = OwnerState(with({}, epoch)); }
  std::string value(std::string_view topic) const {
    const auto found = subscriber.facts().find(topic);
    return found == subscriber.facts().end() ? "-" : *found->second.payload;
  }
};

}  // namespace

TEST_CASE("a subscriber that joins late gets the snapshot and then the news") {
  Pair p;
  p.publish("modules/web/a", "1");
  p.publish("modules/web/b", "2");
  p.beat();
  CHECK(p.subscriber.phase() == Phase::live);
  CHECK(p.value("modules/web/a") == "1");
  p.hear(p.publish("modules/web/a", "3"));
  CHECK(p.value("modules/web/a") == "3");
  CHECK(p.subscriber.counters().snapshots == 1);
}

TEST_CASE("news that come while the snapshot is on its way are applied after it, once") {
  Pair p;
  p.publish("modules/web/a", "1");
  auto effects = p.subscriber.beat(p.owner.header_of_beat(make_payload("")), p.owner.beat(), p.now);
  REQUIRE(effects.request.has_value());
  const auto early = p.publish("modules/web/a", "2");
  auto chunks = p.owner.answer(*effects.request);
  const auto late = p.publish("modules/web/b", "3");
  p.hear(early);
  p.hear(late);
  CHECK(p.subscriber.facts().empty());
  for (auto& chunk : chunks) p.take(p.subscriber.chunk(std::move(chunk), p.now));
  CHECK(p.value("modules/web/a") == "2");
  CHECK(p.value("modules/web/b") == "3");
  CHECK(p.subscriber.counters().gaps == 0);
  CHECK(p.subscriber.counters().duplicates == 1);
}

TEST_CASE("whichever message is lost, nothing is applied past the hole and a delta fills it") {
  for (int lost = 0; lost < 10; ++lost) {
    Pair p;
    p.beat();
    p.pass(1s);
    p.beat();
    for (int i = 0; i < 10; ++i) {
      const auto message = p.publish("modules/web/m" + std::to_string(i), "x");
      if (i == lost) continue;
      p.take(p.subscriber.news(message, p.now), false);
      CHECK(p.subscriber.facts().size() == static_cast<std::size_t>(std::min(i + 1, lost)));
    }
    p.beat();
    p.pass(3s);
    p.beat();
    p.beat();
    p.pass(1s);
    CHECK(p.subscriber.facts().size() == 10);
    CHECK(p.subscriber.counters().snapshots <= 1);
  }
}

TEST_CASE("a lost last message is noticed by the second beat") {
  Pair p;
  p.beat();
  p.publish("modules/web/a", "1");      // never arrives
  p.pass(1s);
  p.beat();
  CHECK(p.value("modules/web/a") == "-");
  p.pass(1s);
  p.beat();
  CHECK(p.value("modules/web/a") == "1");
  CHECK(p.subscriber.counters().behind == 1);
}

TEST_CASE("a subscriber of one class sees holes of its own class only") {
  Pair p(100, {.classes = {"splits"}});
  p.publish("splits/web", "1");
  p.beat();
  for (int i = 0; i < 5; ++i) p.publish("modules/web/a", std::to_string(i));      // filtered out by the socket
  p.hear(p.publish("splits/web", "2"));
  CHECK(p.value("splits/web") == "2");
  CHECK(p.subscriber.counters().gaps == 0);
  p.beat();
  p.beat();
  CHECK(p.subscriber.phase() == Phase::live);
  p.publish("splits/web", "3");                                                     // lost
  p.hear(p.publish("splits/web", "4"));
  CHECK(p.subscriber.counters().gaps == 1);
  p.pass(1s);
  CHECK(p.value("splits/web") == "4");
}

TEST_CASE("a tombstone removes its key, in the news and in a delta") {
  Pair p;
  p.publish("modules/web/a", "1");
  p.publish("modules/web/b", "1");
  p.beat();
  p.hear(p.withdraw("modules/web/a"));
  CHECK(p.value("modules/web/a") == "-");
  p.withdraw("modules/web/b");          // lost
  p.pass(1s);
  p.beat();
  p.pass(1s);
  p.beat();
  p.pass(1s);
  CHECK(p.subscriber.facts().empty());
  CHECK(p.subscriber.counters().deltas == 1);
}

TEST_CASE("silence for three beats makes the copy stale, keeps it, and wishes for fresh sockets") {
  Pair p;
  p.publish("modules/web/a", "1");
  p.beat();
  p.pass(2900ms);
  CHECK(p.subscriber.phase() == Phase::live);
  p.pass(300ms);
  CHECK(p.subscriber.phase() == Phase::stale);
  CHECK(p.subscriber.counters().reconnects == 1);
  CHECK(p.value("modules/web/a") == "1");
  p.beat();
  CHECK(p.subscriber.phase() == Phase::live);
}

TEST_CASE("a restarted owner's facts replace the copy when they are not far fewer") {
  Pair p;
  for (int i = 0; i < 4; ++i) p.publish("modules/web/m" + std::to_string(i), "old");
  p.beat();
  p.restart(101);
  for (int i = 0; i < 2; ++i) p.publish("modules/web/m" + std::to_string(i), "new");
  p.beat();
  p.pass(1s);
  CHECK(p.subscriber.epoch() == 101);
  CHECK(p.subscriber.facts().size() == 2);
  CHECK(p.value("modules/web/m0") == "new");
}

TEST_CASE("a registry that comes back empty empties nothing: the missing keys are in quarantine until they are named or released") {
  Pair p;
  for (int i = 0; i < 4; ++i) p.publish("modules/web/m" + std::to_string(i), "old");
  p.beat();
  p.restart(101);
  p.beat();
  p.pass(1s);
  CHECK(p.subscriber.epoch() == 101);
  CHECK(p.subscriber.facts().size() == 4);
  CHECK(p.subscriber.quarantined() == 4);
  CHECK(p.changes.back().kind == Change::Kind::quarantined);
  p.hear(p.publish("modules/web/m0", "back"));
  CHECK(p.subscriber.quarantined() == 3);
  p.take(p.subscriber.release("modules/web/m3"));
  CHECK(p.subscriber.facts().size() == 3);
  p.restart(102);                              // and empty once more
  p.beat();
  p.pass(1s);
  CHECK(p.subscriber.facts().size() == 3);
}

TEST_CASE("an owner that has known half of the keys long enough is believed about the rest") {
  Pair p;
  for (int i = 0; i < 4; ++i) p.publish("modules/web/m" + std::to_string(i), "old");
  p.beat();
  p.restart(101);
  p.beat();
  p.pass(1s);
  for (int i = 0; i < 2; ++i) p.hear(p.publish("modules/web/m" + std::to_string(i), "back"));
  for (int s = 0; s < 119; ++s) p.beat(), p.pass(1s);
  CHECK(p.subscriber.quarantined() == 2);
  for (int s = 0; s < 3; ++s) p.beat(), p.pass(1s);
  CHECK(p.subscriber.quarantined() == 0);
  CHECK(p.subscriber.facts().size() == 2);
}

TEST_CASE("a subscriber that misses messages now and then stops doubting all the same, one that hears nothing begins anew") {
  const bool silent = GENERATE(false, true);
  Pair p;
  for (int i = 0; i < 4; ++i) p.publish("modules/web/m" + std::to_string(i), "old");
  p.beat();
  p.restart(101);
  p.beat();
  p.pass(1s);
  for (int i = 0; i < 2; ++i) p.hear(p.publish("modules/web/m" + std::to_string(i), "back"));
  for (int round = 0; round < 11; ++round) {
    for (int s = 0; s < 8; ++s) p.beat(), p.pass(1s);
    p.publish("traffic/edge/web/v1", "lost");
    p.take(p.subscriber.news(p.publish("traffic/edge/web/v1", "after a hole"), p.now), false);      // asks, and the question is lost, too
    CHECK(p.subscriber.phase() == Phase::sync);
    p.pass(2s);
    CHECK(p.subscriber.phase() == Phase::live);
  }
  CHECK(p.subscriber.quarantined() == 2);
  if (silent) p.pass(5s, false);
  for (int s = 0; s < 15; ++s) p.beat(), p.pass(1s);
  CHECK(p.subscriber.quarantined() == (silent ? 2 : 0));
  for (int s = 0; s < 120; ++s) p.beat(), p.pass(1s);
  CHECK(p.subscriber.quarantined() == 0);
}

TEST_CASE("what one class had known before its quarantine ended is no measure for its next one") {
  Pair p;
  for (int i = 0; i < 8; ++i) p.publish("modules/web/m" + std::to_string(i), "old");
  p.publish("splits/web", "old");
  p.beat();
  p.restart(101);
  p.publish("modules/web/m0", "back");
  p.beat();
  p.pass(1s);
  REQUIRE(p.subscriber.quarantined() == 8);      // the split for as long as nobody says anything about it
  for (int i = 2; i < 8; ++i) p.take(p.subscriber.release("modules/web/m" + std::to_string(i)));
  p.hear(p.publish("modules/web/m1", "back"));
  p.hear(p.publish("modules/web/m2", "new"));
  p.pass(1s);
  REQUIRE(p.subscriber.quarantined() == 1);
  p.restart(102);
  p.publish("modules/web/m0", "back");
  p.beat();
  p.pass(1s);
  REQUIRE(p.subscriber.quarantined() == 3);
  p.hear(p.publish("modules/web/m1", "back"));   // two of three
  for (int s = 0; s < 122; ++s) p.beat(), p.pass(1s);
  CHECK(p.subscriber.quarantined() == 1);
}

TEST_CASE("late news of a greater epoch are reason to ask once more, not for ever") {
  Pair p(50);
  p.publish("modules/web/a", "1");
  p.beat();
  auto late = p.publish("modules/web/a", "2");
  late.header.epoch = 100;                       // of a life that was lost with its disk; an operator accepted the smaller epoch
  p.hear(late);
  for (int s = 0; s < 10; ++s) p.beat(), p.pass(1s);
  CHECK(p.subscriber.phase() == Phase::live);
  CHECK(p.subscriber.epoch() == 50);
  CHECK(p.value("modules/web/a") == "2");
  CHECK(p.subscriber.counters().syncs <= 3);
}

TEST_CASE("an owner that restarts while its answer is on the way is followed without waiting for its beat") {
  Pair p;
  p.publish("modules/web/a", "1");
  p.beat();
  p.pass(1s);
  p.publish("modules/web/a", "lost");
  const auto asked = p.subscriber.news(p.publish("modules/web/a", "2"), p.now);
  REQUIRE(asked.request.has_value());
  const auto answer = p.owner.answer(*asked.request);
  p.restart(101);
  p.hear(p.publish("modules/web/a", "3"));
  for (const auto& chunk : answer) p.take(p.subscriber.chunk(chunk, p.now));
  p.pass(1s);
  CHECK(p.subscriber.epoch() == 101);
  CHECK(p.value("modules/web/a") == "3");
}

TEST_CASE("a forwarder that restarts has no traffic yet, which is not guarded") {
  Pair p;
  p.publish("traffic/edge/web/v1", "1");
  p.beat();
  p.restart(101);
  p.beat();
  p.pass(1s);
  CHECK(p.subscriber.facts().empty());
}

TEST_CASE("a lower epoch is refused and counted, until an operator accepts it") {
  Pair p;
  p.publish("modules/web/a", "1");
  p.beat();
  p.restart(50);
  p.hear(p.publish("modules/web/a", "2"));
  p.beat();
  CHECK(p.value("modules/web/a") == "1");
  CHECK(p.subscriber.counters().refused_epoch == 2);
  SubscriberState accepting({.accept_any_epoch = true}, 1, p.now);
  accepting.preload(p.subscriber.copy(), p.now);
  auto effects = accepting.beat(p.owner.header_of_beat(make_payload("")), p.owner.beat(), p.now);
  if (!effects.request) effects = accepting.tick(p.now + 1s);
  REQUIRE(effects.request.has_value());
  for (auto& chunk : p.owner.answer(*effects.request)) (void)accepting.chunk(std::move(chunk), p.now + 1s);
  CHECK(accepting.epoch() == 50);
  CHECK(*accepting.facts().at("modules/web/a").payload == "2");
}

TEST_CASE("an old snapshot that is replayed changes nothing") {
  Pair p;
  p.publish("modules/web/a", "1");
  const auto first = p.subscriber.beat(p.owner.header_of_beat(make_payload("")), p.owner.beat(), p.now);
  REQUIRE(first.request.has_value());
  auto old_answer = p.owner.answer(*first.request);
  for (auto chunk : old_answer) p.take(p.subscriber.chunk(chunk, p.now));
  p.hear(p.publish("modules/web/a", "2"));
  for (auto chunk : old_answer) p.take(p.subscriber.chunk(chunk, p.now));                 // unasked
  CHECK(p.value("modules/web/a") == "2");
  p.publish("modules/web/a", "3");
  p.take(p.subscriber.news(p.publish("modules/web/a", "4"), p.now), false);             // a hole: now it asks
  auto effects = p.subscriber.tick(p.now += 1s);
  REQUIRE(effects.request.has_value());
  for (auto chunk : old_answer) {
    chunk.id = effects.request->id;                                                         // even with the right id
    p.take(p.subscriber.chunk(chunk, p.now), false);
  }
  CHECK(p.value("modules/web/a") == "2");
  CHECK(p.subscriber.counters().stale_snapshots == 1);
}

TEST_CASE("a snapshot that was cut or damaged on the way is thrown away and asked for again") {
  OwnerOptions small;
  small.chunk_entries_max = 2;
  for (int lost = 0; lost < 3; ++lost) {
    Pair p(100, {}, small);
    for (int i = 0; i < 6; ++i) p.publish("modules/web/m" + std::to_string(i), "x");
    auto effects = p.subscriber.beat(p.owner.header_of_beat(make_payload("")), p.owner.beat(), p.now);
    auto chunks = p.owner.answer(*effects.request);
    REQUIRE(chunks.size() == 3);
    for (int i = 0; i < 3; ++i)
      if (i != lost) p.take(p.subscriber.chunk(chunks[static_cast<std::size_t>(i)], p.now), false);
    CHECK(p.subscriber.facts().empty());
    p.pass(2s);
    CHECK(p.subscriber.facts().size() == 6);
  }
  Pair p;
  p.publish("modules/web/a", "x");
  auto effects = p.subscriber.beat(p.owner.header_of_beat(make_payload("")), p.owner.beat(), p.now);
  auto chunks = p.owner.answer(*effects.request);
  chunks[0].entries[0].payload = make_payload("y");
  p.take(p.subscriber.chunk(chunks[0], p.now), false);
  CHECK(p.subscriber.facts().empty());
  CHECK(p.subscriber.counters().bad_snapshots == 1);
}

TEST_CASE("two owners of one epoch: the first is right") {
  Pair p;
  p.publish("splits/web", "mine");
  p.beat();
  OwnerState other({.id = 2, .name = "impostor", .epoch = 100});
  const auto update = other.publish("splits/web", make_payload("theirs"), p.now);
  const auto more = other.publish("splits/web", make_payload("theirs"), p.now);
  p.hear({update->topic, other.header(*update, p.now), update->payload});
  p.hear({more->topic, other.header(*more, p.now), more->payload});
  CHECK(p.value("splits/web") == "mine");
  CHECK(p.subscriber.counters().refused_owner == 2);
}

TEST_CASE("what overflows the queue while syncing is in the next snapshot") {
  Pair p(100, {.queue_max = 5});
  p.publish("modules/web/a", "0");
  (void)p.subscriber.beat(p.owner.header_of_beat(make_payload("")), p.owner.beat(), p.now);     // the answer is lost
  for (int i = 1; i <= 12; ++i) p.hear(p.publish("modules/web/a", std::to_string(i)));
  CHECK(p.subscriber.counters().queue_overflows == 2);
  p.pass(3s);
  CHECK(p.value("modules/web/a") == "12");
}

TEST_CASE("catching up by a delta tells the last word on each guarded key and not its history") {
  Pair p;
  p.hear(p.publish("splits/web", "10 %"));
  p.beat();
  p.publish("splits/web", "50 %");
  p.publish("splits/api", "1 %");
  p.publish("splits/web", "0 %, rolled back");
  p.withdraw("splits/api");
  p.publish("events/deploy", "started");
  p.publish("events/deploy", "rolled back");
  p.changes.clear();
  p.pass(200ms);
  p.beat();
  p.beat();
  CHECK(p.subscriber.counters().deltas == 1);
  std::vector<std::string> told;
  for (const auto& change : p.changes) told.push_back(change.topic + " " + (change.payload ? *change.payload : "gone"));
  CHECK(told == std::vector<std::string>{"splits/web 0 %, rolled back", "events/deploy started", "events/deploy rolled back"});
  CHECK(p.subscriber.last_of("splits") == p.owner.head());
}

TEST_CASE("a restarted subscriber has its copy at once and needs only a delta") {
  Pair p;
  for (int i = 0; i < 5; ++i) p.publish("modules/web/m" + std::to_string(i), "x");
  p.beat();
  SubscriberState again({}, 2, p.now);
  again.preload(p.subscriber.copy(), p.now);
  CHECK(again.facts().size() == 5);
  CHECK(again.beat(p.owner.header_of_beat(make_payload("")), p.owner.beat(), p.now).request == std::nullopt);
  CHECK(again.phase() == Phase::live);
}

TEST_CASE("the owner's log is bounded: who missed more than it holds gets everything") {
  Pair p(100, {}, {.log_max = 8});
  for (int i = 0; i < 20; ++i) p.publish("modules/web/m" + std::to_string(i), "x");
  CHECK(p.owner.answer({1, {}, 100, 12}).front().delta);
  CHECK(p.owner.answer({1, {}, 100, 12}).front().entries.size() == 8);
  CHECK_FALSE(p.owner.answer({1, {}, 100, 11}).front().delta);
  CHECK_FALSE(p.owner.answer({1, {}, 99, 20}).front().delta);
  CHECK_FALSE(p.owner.answer({1, {}, 100, 21}).front().delta);
  CHECK(p.owner.answer({1, {}, 100, 20}).front().entries.empty());
}

TEST_CASE("the owner refuses what is no topic and what is over its limits") {
  OwnerState owner({.id = 1, .epoch = 1, .topics_max = 2, .classes_max = 1});
  CHECK_FALSE(owner.publish("a b", make_payload(""), {}).has_value());
  CHECK_FALSE(owner.publish("modules/a", nullptr, {}).has_value());
  CHECK(owner.publish("modules/a", make_payload("x"), {}).has_value());
  CHECK_FALSE(owner.publish("splits/a", make_payload("x"), {}).has_value());
  CHECK(owner.publish("modules/b", make_payload("x"), {}).has_value());
  CHECK_FALSE(owner.publish("modules/c", make_payload("x"), {}).has_value());
  CHECK(owner.publish("modules/b", make_payload("y"), {}).has_value());
  CHECK_FALSE(owner.withdraw("modules/zzz", {}).has_value());
}

TEST_CASE("classes that the owner refuses are no holes, and are asked for whole as soon as they may be ours") {
  Pair p(100, {.classes = {"modules", "splits"}});
  p.publish("modules/web/a", "1");
  p.publish("splits/web", "1");
  auto effects = p.subscriber.beat(p.owner.header_of_beat(make_payload("")), p.owner.beat(), p.now);
  REQUIRE(effects.request.has_value());
  const auto answer = [&](const SyncRequest& request, bool refuse) {
    auto asked = request;
    if (refuse) asked.classes = {"modules"};
    auto chunks = p.owner.answer(asked);
    if (refuse) chunks.back().refused_classes = {"splits"};
    for (auto& chunk : chunks) p.take(p.subscriber.chunk(std::move(chunk), p.now), false);
  };
  answer(*effects.request, true);
  CHECK(p.subscriber.refused_classes() == std::vector<std::string>{"splits"});
  CHECK(p.value("splits/web") == "-");
  for (int i = 0; i < 5; ++i) {
    p.publish("splits/web", "more");
    p.beat(false);
    p.pass(1s, false);
  }
  CHECK(p.subscriber.counters().syncs == 1);               // what isn't ours is not missed
  p.take(p.subscriber.welcome(p.now));                     // a new connection
  effects = p.subscriber.beat(p.owner.header_of_beat(make_payload("")), p.owner.beat(), p.now);
  if (!effects.request) effects = p.subscriber.tick(p.now += 1s);
  REQUIRE(effects.request.has_value());
  CHECK(effects.request->have_epoch == 0);                 // a delta wouldn't hold what is older than the permission
  answer(*effects.request, false);
  CHECK(p.value("splits/web") == "more");
}

TEST_CASE("a copy that was kept for fewer classes is completed by a snapshot") {
  Pair p(100, {.classes = {"modules"}});
  p.publish("modules/web/a", "1");
  p.publish("splits/web", "1");
  p.beat();
  SubscriberState more({.classes = {"modules", "splits"}}, 2, p.now);
  more.preload(p.subscriber.copy(), p.now);
  auto effects = more.beat(p.owner.header_of_beat(make_payload("")), p.owner.beat(), p.now);
  if (!effects.request) effects = more.tick(p.now + 1s);
  REQUIRE(effects.request.has_value());
  for (auto& chunk : p.owner.answer(*effects.request)) (void)more.chunk(std::move(chunk), p.now + 1s);
  CHECK(more.facts().contains("splits/web"));
}

TEST_CASE("a quarantine survives the holder's own restart") {
  Pair p;
  for (int i = 0; i < 4; ++i) p.publish("modules/web/m" + std::to_string(i), "old");
  p.beat();
  p.restart(101);
  p.publish("modules/web/m0", "new");
  p.beat();
  p.pass(1s);
  REQUIRE(p.subscriber.quarantined() == 3);
  SubscriberState again({}, 2, p.now);
  again.preload(p.subscriber.copy(), p.now);
  CHECK(again.quarantined() == 3);
  for (int s = 0; s < 200; ++s) {                          // one of four: not believed about the others, however long it takes
    (void)again.beat(p.owner.header_of_beat(make_payload("")), p.owner.beat(), p.now);
    (void)again.tick(p.now += 1s);
  }
  CHECK(again.quarantined() == 3);
}
