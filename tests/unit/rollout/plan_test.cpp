#include <catch2/catch.hpp>

#include "libnlb/rollout/plan.hpp"

using namespace nlb;
using namespace nlb::rollout;

TEST_CASE("steps are read in percent, with their own times or a common one") {
  CHECK(format_steps(*parse_steps("1,5,10,25,50,100", 2min)) == "1:2m,5:2m,10:2m,25:2m,50:2m,100:2m");
  CHECK(format_steps(*parse_steps("0.01:30s,2.5,12.25:1h", 2min)) == "0.01:30s,2.5:2m,12.25:1h");
  CHECK(parse_steps("12.25", 0s)->front().weight == 1225);
}

TEST_CASE("steps that don't rise, or aren't percentages, are refused with the reason") {
  for (auto wrong : {"", "0", "101", "5,1", "5,5", "1,,5", "x", "1:", "1:5", "0.001", "1.005", "-1", "nan"}) {
    INFO(wrong);
    CHECK_FALSE(parse_steps(wrong, 1min));
  }
  CHECK(parse_steps("5,1", 1min).error().text == "steps are refused: step 2 doesn't rise: order them by weight");
}

TEST_CASE("even steps end at 100 %") {
  CHECK(format_steps(*even_steps(25, 2min)) == "25:2m,50:2m,75:2m,100:2m");
  CHECK(format_steps(*even_steps(40, 2min)) == "40:2m,80:2m,100:2m");
  CHECK_FALSE(even_steps(0, 2min));
  CHECK_FALSE(even_steps(101, 2min));
}

TEST_CASE("the default ladder takes 27 minutes") { CHECK(ladder_time(default_ladder()) == 27min); }

TEST_CASE("a plan to the same version is refused") {
  Plan plan;
  plan.stable = plan.candidate = "v1";
  plan.steps = default_ladder();
  CHECK(check(plan).error().kind == ErrorKind::refused);
  plan.candidate = "v2";
  CHECK(check(plan));
  plan.sites = {"eu", "eu"};
  CHECK_FALSE(check(plan));
}
