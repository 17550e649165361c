#include <catch2/catch.hpp>

#include "libnlb/core/rng.hpp"
#include "libnlb/scale/window.hpp"

using namespace nlb;
using namespace nlb::scale;

TEST_CASE("the largest of a window is what a plain scan finds") {
  Rng rng(3);
  MaxWindow<int> window(100s);
  std::vector<Sample<int>> all;
  MonoTime now{};
  for (int i = 0; i < 3000; ++i) {
    now += std::chrono::seconds{rng.below(20)};
    const auto value = static_cast<int>(rng.below(50));
    window.add(now, value);
    all.push_back({now, value});
    int best = -1;
    for (const auto& s : all)
      if (now - s.at < 100s) best = std::max(best, s.value);
    REQUIRE(window.best() == best);
  }
}

TEST_CASE("a sample expires exactly at the window's span") {
  MaxWindow<int> window(10s);
  window.add(MonoTime{} + 1s, 7);
  window.expire(MonoTime{} + 10s + 999ms);
  CHECK(window.best() == 7);
  window.expire(MonoTime{} + 11s);
  CHECK_FALSE(window.best().has_value());
}

TEST_CASE("means look only at the ages asked for, and an empty span has none") {
  MeanWindow window(120s, 64);
  for (int t = 5; t <= 200; t += 5) window.add(MonoTime{} + std::chrono::seconds{t}, t <= 140 ? 1 : 3);
  const auto now = MonoTime{} + 200s;
  CHECK(*window.mean(now, 60s) == Approx(3));
  CHECK(*window.mean(now, 120s, 60s) == Approx(1));
  CHECK_FALSE(window.mean(now, 300s, 200s).has_value());
  CHECK(window.size() == 24);
}

TEST_CASE("a full ring forgets the oldest") {
  MeanWindow window(1h, 4);
  for (int i = 1; i <= 10; ++i) window.add(MonoTime{} + std::chrono::seconds{i}, i);
  CHECK(window.size() == 4);
  CHECK(*window.mean(MonoTime{} + 10s, 1h) == Approx(8.5));
}
