#include <catch2/catch.hpp>

#include "libnlb/scale/demand.hpp"

using namespace nlb::scale;

TEST_CASE("a canary is sized for its next step, and stable for a rollback") {
  CHECK(demand_of(50, 1000, 1000) == Approx(100));    // at 5 percent, before 10
  CHECK(demand_of(950, 1000, 10000) == Approx(1000));
  CHECK(demand_of(130, 1000, 1000) == Approx(130));   // more came than its weight says
  CHECK(demand_of(0, 0, 10000) == 0);
}
