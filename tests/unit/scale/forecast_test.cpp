#include <catch2/catch.hpp>

#include <cmath>

#include "libnlb/core/rng.hpp"
#include "libnlb/scale/forecast.hpp"

using namespace nlb;
using namespace nlb::scale;

namespace {
Now at(std::int64_t seconds) { return {MonoTime{} + 24h + std::chrono::seconds{seconds}, WallTime{} + std::chrono::seconds{seconds}}; }
}  // namespace

TEST_CASE("a jump that comes every day at the same time is known on the third day, before it happens") {
  Forecast forecast(5s);
  for (std::int64_t t = 0; t < 3 * 86400; t += 5) {
    const auto time = t % 7200;
    const bool high = time >= 3600;
    const auto outlook = forecast.tick(at(t), high ? 100 : 30, 130s);
    if (t < 2 * 86400) continue;
    if (time >= 3500 && time < 3600) REQUIRE(outlook.needed >= 100);
    if (time >= 1200 && time < 3400) REQUIRE(outlook.needed < 60);
  }
}

TEST_CASE("a load without a rhythm is never below what is there, and its margin covers nearly everything") {
  Forecast forecast(5s);
  Rng rng(4);
  double level = 0;
  std::vector<double> loads, needs;
  for (std::int64_t t = 0; t < 4 * 86400; t += 5) {
    level = 0.9995 * level + 0.01 * (rng.uniform() + rng.uniform() + rng.uniform() - 1.5);
    const double load = 50 * std::exp(level) * (1 + 0.05 * (rng.uniform() - 0.5));
    const auto outlook = forecast.tick(at(t), load, 40s);
    REQUIRE(outlook.needed >= outlook.now);
    loads.push_back(load);
    needs.push_back(outlook.needed);
  }
  int late = 0, slots = 0;
  for (std::size_t i = loads.size() / 2; i + 8 < loads.size(); ++i, ++slots) late += loads[i + 8] > needs[i];
  CHECK(late < slots / 100);
}

TEST_CASE("what is expected lies in its band, also where plans have proved too high") {
  Forecast forecast(5s);
  bool lowered = false;
  for (std::int64_t t = 0; t < 86400; t += 5) {                 // a burst of a tick or two every few minutes: every plan holds on to it
    const auto outlook = forecast.tick(at(t), t % 280 < 10 ? 30 : 1, 5s);
    const auto band = forecast.ahead();
    REQUIRE(band.low <= band.rate);
    REQUIRE(band.rate <= band.high);
    REQUIRE(band.low == outlook.now);
    REQUIRE(band.high == outlook.needed);
    lowered = lowered || outlook.needed < outlook.planned;
    const auto later = forecast.usual(20);
    REQUIRE(later.low <= later.rate);
    REQUIRE(later.rate <= later.high);
  }
  CHECK(lowered);
  CHECK(forecast.mean_error() > 0);
}

TEST_CASE("the mean error is that of the plans, whatever their margin") {
  Tail tail;
  CHECK(tail.mean_error() == 0);
  tail.add(100, 100, 100, 1);
  CHECK(tail.mean_error() == Approx(0).margin(1e-9));
  tail.add(100, 150, 100, 1);
  CHECK(tail.mean_error() == Approx(0.25).margin(0.02));
  tail.add(100, 50, 100, 1);
  CHECK(tail.mean_error() == Approx(1.0 / 3).margin(0.02));
}

TEST_CASE("the margin is the newsvendor's: wider when violations are dearer") {
  Tail tail;
  Rng rng(9);
  for (int i = 0; i < 20000; ++i) tail.add(1, 1 - std::log(1 - rng.uniform()), 1, 1);
  // P(peak > y) = exp(1 - y), so y + price * exp(1 - y) is least at y = 1 + log(price)
  CHECK(std::exp(tail.cheapest(20).margin) == Approx(1 + std::log(20)).margin(0.3));
  CHECK(std::exp(tail.cheapest(100).margin) == Approx(1 + std::log(100)).margin(0.5));
  CHECK(tail.cheapest(0.1).margin < -1);
}

TEST_CASE("what is old counts less") {
  Tail tail;
  for (int i = 0; i < 1000; ++i) tail.add(1, 3, 1, 0.99);
  for (int i = 0; i < 2000; ++i) tail.add(1, 1.1, 1, 0.99);
  CHECK(tail.cheapest(30).margin < 0.2);
  CHECK(tail.weight() < 101);
}

TEST_CASE("the season needs a day, and a clock that was set starts its last ten minutes anew") {
  Seasonal season;
  std::int64_t t = 0;
  for (; t < 86400 + 1200; t += 5) {
    season.add(at(t).wall, 10);
    if (t < 86400) REQUIRE_FALSE(season.peak(at(t).wall, 60s).has_value());
  }
  CHECK(*season.peak(at(t).wall, 60s) == Approx(10));
  season.add(at(t + 5000).wall, 10);
  CHECK_FALSE(season.peak(at(t + 5000).wall, 60s).has_value());
}
