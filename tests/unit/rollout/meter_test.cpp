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
  canary.replicas["v2-1"] = {12, 2, 2, 0, 0};
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
  stable.half = {48, 2, 2, 0, 0};
  stable.has_half = true;
  meter.add("v1", stable);
  meter.sample(1, 1, 0, "v1", "", default_signals());
  CHECK(meter.halves() == Counts{48, 52, 2, 4});
  CHECK(meter.halves() == Counts{});
}

TEST_CASE("a forwarder belongs to the site that its name begins with") {
  CHECK(belongs_to_site("eu", "eu"));
  CHECK(belongs_to_site("eu-1", "eu"));
  CHECK(belongs_to_site("eu/edge", "eu"));
  CHECK_FALSE(belongs_to_site("europe", "eu"));
  CHECK_FALSE(belongs_to_site("us-1", "eu"));
  CHECK(belongs_to_site("us-1", ""));
}
