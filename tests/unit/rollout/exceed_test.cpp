#include <catch2/catch.hpp>

#include "libnlb/rollout/exceed.hpp"

using namespace nlb::rollout;

namespace {

// 100 sessions a second in buckets 0..3: 90, 6, 3, 1.
const std::vector<std::uint64_t> usual = {90, 6, 3, 1}, nothing = {0, 0, 0, 0};

}  // namespace

TEST_CASE("nothing is counted before a minute of stable is known") {
  Exceedances slow(0.95, Tail::above);
  for (int t = 0; t < 60; ++t) CHECK(slow.book(t, usual, usual) == Counts{});
  CHECK(slow.book(60, usual, usual).canary_attempts == 100);
}

TEST_CASE("sessions beyond stable's quantile count for both versions") {
  Exceedances slow(0.95, Tail::above), slowest(0.99, Tail::above), quick(0.01, Tail::below);
  for (int t = 0; t < 60; ++t)
    for (auto* each : {&slow, &slowest, &quick}) each->book(t, nothing, usual);
  CHECK(slow.book(60, {{0, 0, 5, 5}}, usual) == Counts{10, 100, 10, 4});
  CHECK(slowest.book(60, {{0, 0, 5, 5}}, usual) == Counts{10, 100, 5, 1});
  CHECK(quick.book(60, {{7, 0, 0, 0}}, usual).canary_bad == 0);   // nothing lies below the lowest bucket
}

TEST_CASE("a threshold is made of whole past minutes and holds for the next") {
  Exceedances slow(0.95, Tail::above);
  for (int t = 0; t < 60; ++t) slow.book(t, nothing, usual);
  slow.book(60, nothing, usual);
  const auto before = slow.threshold();
  for (int t = 61; t < 120; ++t) {   // stable turns slow: this minute is still judged by the last
    slow.book(t, nothing, std::vector<std::uint64_t>{0, 0, 0, 10000});
    REQUIRE(slow.threshold() == before);
  }
  slow.book(120, nothing, usual);
  CHECK(slow.threshold() == 3);
}

TEST_CASE("minutes older than ten are forgotten") {
  Exceedances slow(0.95, Tail::above);
  for (int t = 0; t < 60; ++t) slow.book(t, nothing, std::vector<std::uint64_t>{0, 0, 0, 10000});
  for (int t = 60; t < 660; ++t) slow.book(t, nothing, usual);
  CHECK(slow.threshold() == 3);
  slow.book(660, nothing, usual);
  CHECK(slow.threshold() == 1);
}

TEST_CASE("a quiet stable gives no threshold") {
  Exceedances slow(0.95, Tail::above);
  for (int t = 0; t < 60; ++t) slow.book(t, nothing, std::vector<std::uint64_t>{1, 0, 0, 0});
  slow.book(60, nothing, usual);
  CHECK_FALSE(slow.ready());
}
