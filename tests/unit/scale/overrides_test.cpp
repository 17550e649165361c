#include <catch2/catch.hpp>

#include "libnlb/scale/overrides.hpp"

using namespace nlb;
using namespace nlb::scale;

namespace {

constexpr Limits limits{2, 10};

Decision decided(std::uint32_t ordered, std::uint32_t wanted, const Overrides& overrides, std::uint32_t hold = 0) {
  auto d = begin({}, {ordered, ordered, hold, {}});
  d.say(Rule::metric, wanted);
  apply_limits(d, limits);
  apply(d, overrides, limits);
  return d;
}

}  // namespace

TEST_CASE("by hand wins over the strategy, never over the limits or a rollout's hold") {
  Overrides o;
  o.by_hand = 4;
  CHECK(decided(6, 8, o).wanted == 4);
  CHECK(decided(6, 8, o).winner == Rule::by_hand);
  CHECK(decided(6, 8, o, 5).wanted == 5);
  o.by_hand = 40;
  CHECK(decided(6, 8, o).wanted == 10);
}

TEST_CASE("a pause stops its direction; the minimum and a hold are restored all the same") {
  Overrides o;
  o.pause_up = true;
  CHECK(decided(6, 8, o).wanted == 6);
  CHECK(decided(6, 4, o).wanted == 4);
  CHECK(decided(1, 8, o).wanted == 2);
  CHECK(decided(3, 8, o, 5).wanted == 5);
  o = {};
  o.pause_down = true;
  CHECK(decided(6, 4, o).wanted == 6);
  CHECK(decided(12, 4, o).wanted == 10);
}

TEST_CASE("a hold by hand allows no change at all") {
  Overrides o;
  o.frozen = true;
  CHECK(decided(6, 8, o).wanted == 6);
  CHECK(decided(1, 8, o).wanted == 1);
}

TEST_CASE("an incomplete picture never scales in, but the maximum is kept and more may be added") {
  Overrides o;
  o.incomplete = true;
  CHECK(decided(6, 4, o).wanted == 6);
  CHECK(decided(6, 4, o).winner == Rule::missing);
  CHECK(decided(6, 8, o).wanted == 8);
  CHECK(decided(12, 4, o).wanted == 10);
}

TEST_CASE("a version that a split gives nothing goes down to what a rollout holds") {
  Overrides o;
  o.retired = true;
  CHECK(decided(6, 8, o).wanted == 0);
  CHECK(decided(6, 8, o, 3).wanted == 3);
}

TEST_CASE("while a rollout runs two of each version stay") {
  Overrides o;
  o.in_rollout = o.retired = true;
  CHECK(decided(6, 1, o).wanted == 2);
  CHECK(decided(1, 1, o).wanted == 1);
}

TEST_CASE("an order from before a restart is completed") {
  Overrides o;
  o.resume = 5;
  CHECK(decided(3, 3, o).wanted == 5);
  CHECK(decided(3, 3, o).winner == Rule::resumed);
}
