#include "libnlb/rollout/meter.hpp"

#include <catch2/catch.hpp>

#include "libnlb/core/rng.hpp"
#include "libnlb/rollout/load.hpp"

using namespace nlb;
using namespace nlb::rollout;

namespace {

TrafficSample sample(std::uint64_t number, std::uint64_t attempts, std::uint64_t bad, std::uint64_t started = 1) {
  TrafficSample made;
  made.started = started;
  made.number = number;
  made.totals = {attempts, bad, bad, 0, 0};
  return made;
}

const SignalCounts* find(const Sample& made, std::string_view name) {
  const auto signals = default_signals();
  for (const auto& each : made.signals)
    if (signals[each.signal].name == name) return &each;
  return nullptr;
}

}  // namespace

TEST_CASE("what two samples differ by is what happened between them, and a lost one costs nothing") {
  TrafficReader reader;
  CHECK(reader.take(sample(5, 100, 3)).totals == TrafficCounts{});   // only where counting starts
  CHECK(reader.take(sample(6, 150, 4)).totals.attempts == 50);
  CHECK(reader.take(sample(9, 400, 4)).totals.attempts == 250);
}

TEST_CASE("the same sample again is no news, and one that went back is none either") {
  TrafficReader reader;
  reader.take(sample(5, 100, 3));
  CHECK(reader.take(sample(5, 100, 3)).totals == TrafficCounts{});
  CHECK(reader.take(sample(4, 90, 2)).totals == TrafficCounts{});
  CHECK(reader.take(sample(6, 110, 3)).totals.attempts == 10);
}

TEST_CASE("a forwarder that began again counts from zero") {
  TrafficReader reader;
  reader.take(sample(50, 1000, 3));
  CHECK(reader.take(sample(1, 7, 1, 2)).totals == TrafficCounts{7, 1, 1, 0, 0});
}

TEST_CASE("a second's sample has both colours and the canary's replicas") {
  SiteMeter meter;
  auto canary = sample(1, 20, 2);
  canary.replicas["v2-1"].totals = {12, 2, 2, 0, 0};
  meter.add("v1", sample(1, 180, 1));
  meter.add("v2", canary);
  meter.add("v2", sample(1, 5, 0));   // from another forwarder
  const auto made = meter.sample(7, 100, 0.1, "v1", "v2", default_signals());
  CHECK(made.second == 7);
  const auto* failures = find(made, "failures");
  REQUIRE(failures != nullptr);
  CHECK(failures->counts == Counts{25, 180, 2, 1});
  REQUIRE(failures->replicas.size() == 1);
  CHECK(failures->replicas[0].bad == 2);
  CHECK(meter.sample(8, 101, 0.1, "v1", "v2", default_signals()).signals.empty());   // told once
}

TEST_CASE("sessions that resemble each other count for fewer") {
  const bool bursts = GENERATE(false, true);
  SiteMeter meter;
  Rng rng(7);
  std::uint64_t attempts = 0;
  for (int second = 0; second < 400; ++second) {
    TrafficSample stable;
    const auto slow = bursts ? (rng.below(20) == 0 ? std::uint64_t{40} : std::uint64_t{0}) : binomial(rng, 100, 0.02);
    stable.first_byte = {100 - slow, slow};   // the same rate of slow sessions, spread or at once
    meter.add("v1", stable);
    const auto made = meter.sample(second, second, 0.1, "v1", "v2", default_signals());
    if (const auto* tail = find(made, "first_byte_p95")) attempts += tail->counts.stable_attempts;
  }
  INFO(attempts);
  CHECK((attempts < 4000) == bursts);
}

TEST_CASE("halves of stable are handed on where forwarders report them") {
  SiteMeter meter;
  auto stable = sample(1, 100, 6);
  stable.half.emplace();
  stable.half->totals = {48, 2, 2, 1, 1};
  stable.totals.connect_failing_clients = 3;
  meter.add("v1", stable);
  meter.add("v1", sample(1, 1000, 7));   // another forwarder, which doesn't count halves: it is no half either
  meter.sample(1, 1, 0, "v1", "", default_signals());
  const auto halves = meter.halves();
  REQUIRE(find(halves, "failures") != nullptr);
  CHECK(find(halves, "failures")->counts == Counts{48, 52, 2, 4});
  CHECK(find(halves, "connect")->counts == Counts{48, 52, 1, 2});
  CHECK(meter.halves().signals.empty());
}

TEST_CASE("each replica of the canary is held against stable's thresholds, too") {
  SiteMeter meter;
  std::uint64_t slow = 0, sound = 0;
  for (int second = 0; second < 300; ++second) {
    TrafficSample stable, canary;
    stable.first_byte = {90, 6, 4};
    canary.first_byte = {50, 0, 50};
    canary.replicas["v2-1"].first_byte = {0, 0, 50};
    canary.replicas["v2-2"].first_byte = {50, 0, 0};
    meter.add("v1", stable);
    meter.add("v2", canary);
    const auto made = meter.sample(second, second, 0.5, "v1", "v2", default_signals());
    if (const auto* tail = find(made, "first_byte_p95")) {
      REQUIRE(tail->replicas.size() == 2);
      slow += tail->replicas[0].bad;
      sound += tail->replicas[1].bad;
      CHECK(tail->replicas[1].attempts > 0);
    }
  }
  CHECK(slow > 1000);
  CHECK(sound == 0);
}

TEST_CASE("both halves are held against the thresholds of the whole") {
  SiteMeter meter;
  std::uint64_t canary = 0, stable = 0;
  for (int second = 0; second < 300; ++second) {
    TrafficSample all;
    all.first_byte = {90, 6, 4};
    all.half = Sessions{{}, {45, 3, second < 60 ? 2u : 4u}, {}, {}};   // the slow ones are all in one half
    meter.add("v1", all);
    meter.sample(second, second, 0, "v1", "", default_signals());
    const auto halves = meter.halves();
    const auto* tail = find(halves, "first_byte_p95");
    canary += tail == nullptr ? 0 : tail->counts.canary_bad;
    stable += tail == nullptr ? 0 : tail->counts.stable_bad;
  }
  CHECK(canary > 100);
  CHECK(stable == 0);
}

TEST_CASE("parts of a service add up signal by signal") {
  Sample sum{1, 0.5, {{0, {1, 2, 3, 4}, {}, 5, 6}}};
  sum += Sample{2, 0.5, {{0, {1, 1, 1, 1}, {}, 1, 1}, {3, {7, 7, 0, 0}, {}}}};
  REQUIRE(sum.signals.size() == 2);
  CHECK(sum.signals[0].counts == Counts{2, 3, 4, 5});
  CHECK(sum.signals[0].stable_raw == 7);
  CHECK(sum.signals[1].counts.canary_attempts == 7);
}

TEST_CASE("a forwarder belongs to the site that its name begins with") {
  CHECK(belongs_to_site("eu", "eu"));
  CHECK(belongs_to_site("eu-1", "eu"));
  CHECK(belongs_to_site("eu/edge", "eu"));
  CHECK_FALSE(belongs_to_site("europe", "eu"));
  CHECK_FALSE(belongs_to_site("us-1", "eu"));
  CHECK(belongs_to_site("us-1", ""));
}
