#include <catch2/catch.hpp>

#include "libnlb/scale/seasonal.hpp"

using namespace nlb;
using namespace nlb::scale;

namespace {

constexpr std::int64_t day = 1440;   // in minutes
WallTime at(std::int64_t minute) { return WallTime{} + std::chrono::minutes{minute}; }
void pass(Seasonal& seasonal, std::int64_t from, std::int64_t to, const auto& load) {
  for (auto minute = from; minute < to; ++minute) seasonal.add(at(minute), load(minute));
}

}  // namespace

TEST_CASE("nothing is usual before a day is known; then the next hour is as it was yesterday, at today's level") {
  Seasonal seasonal;
  const auto load = [](std::int64_t m) { return m % day == 12 * 60 ? 500.0 : 100.0; };
  pass(seasonal, 0, day, load);
  CHECK_FALSE(seasonal.peak(at(day), 1min));              // of today nothing is known that could be compared
  pass(seasonal, day, day + 11 * 60 + 30, [&](auto m) { return 1.5 * load(m); });
  CHECK(*seasonal.peak(at(day + 11 * 60 + 30), 10min) == Approx(150).epsilon(0.02));
  CHECK(*seasonal.peak(at(day + 11 * 60 + 30), 40min) == Approx(750).epsilon(0.02));
}

TEST_CASE("a week is asked once it is known and closer to the truth than a day") {
  Seasonal seasonal;
  const auto load = [](std::int64_t m) {                   // every second day has its peak at noon, the others have none
    const bool peak = m % (7 * day) / day % 2 == 0 && m % day >= 12 * 60 && m % day < 13 * 60;
    return peak ? 400.0 : 100.0;
  };
  pass(seasonal, 0, 20 * day + 11 * 60 + 55, load);        // day 20 is the last of its week: it has a peak
  CHECK(*seasonal.peak(at(20 * day + 11 * 60 + 55), 15min) == Approx(400).epsilon(0.05));
  pass(seasonal, 20 * day + 11 * 60 + 55, 22 * day + 11 * 60 + 55, load);
  CHECK(*seasonal.peak(at(22 * day + 11 * 60 + 55), 15min) == Approx(100).epsilon(0.05));
}
