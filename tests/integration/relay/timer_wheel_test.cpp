#include <catch2/catch.hpp>

#include <map>
#include <vector>

#include "libnlb/core/rng.hpp"
#include "libnlb/relay/timer_wheel.hpp"

using namespace nlb;
using relay::Tick;
using relay::TimerLink;
using relay::TimerWheel;

TEST_CASE("an empty wheel has nothing to wait for") {
  TimerWheel wheel(0);
  CHECK(wheel.wait_ms(5) == -1);
}

TEST_CASE("a deadline is kept: never early, at most two slots late") {
  TimerWheel wheel(100);
  TimerLink near_one, far_one;
  wheel.set(near_one, 150, 100);
  wheel.set(far_one, 5000100, 100);
  Tick now = 100, near_at = 0, far_at = 0;
  while (far_at == 0 && now < 6000000) {
    now += static_cast<Tick>(std::max(1, wheel.wait_ms(now)));
    wheel.advance(now, [&](TimerLink& link) { (&link == &near_one ? near_at : far_at) = now; });
  }
  CHECK(near_at >= 150);
  CHECK(near_at <= 154);
  CHECK(far_at >= 5000100);
  CHECK(far_at <= 5000104);
  CHECK(wheel.size() == 0);
}

TEST_CASE("random sets, moves and cancels agree with a sorted map, across the 32-bit wrap") {
  Rng rng(7);
  for (Tick start : {Tick{0}, Tick{0xffffff00}, Tick{0x7fffff00}}) {
    TimerWheel wheel(start);
    std::vector<TimerLink> links(200);
    std::map<TimerLink*, std::int64_t> wanted;   // relative to start
    std::int64_t now = 0;
    for (int step = 0; step < 20000; ++step) {
      auto& link = links[rng.below(links.size())];
      if (rng.below(4) == 0) {
        wheel.cancel(link);
        wanted.erase(&link);
      } else {
        const auto deadline = now + static_cast<std::int64_t>(rng.below(rng.below(2) ? 300 : 5000000));
        wheel.set(link, start + static_cast<Tick>(deadline), start + static_cast<Tick>(now));
        wanted[&link] = deadline;
      }
      now += static_cast<std::int64_t>(rng.below(rng.below(100) == 0 ? 100000 : 4));
      wheel.advance(start + static_cast<Tick>(now), [&](TimerLink& expired) {
        REQUIRE(wanted.count(&expired) == 1);
        REQUIRE(wanted[&expired] <= now);
        wanted.erase(&expired);
      });
      for (const auto& [pointer, deadline] : wanted) REQUIRE(deadline > now - 5);
      REQUIRE(wheel.size() == wanted.size());
    }
  }
}

TEST_CASE("an entry may be set again or another cancelled from inside its own expiry") {
  TimerWheel wheel(0);
  TimerLink a, b;
  wheel.set(a, 10, 0);
  wheel.set(b, 10, 0);
  int fired = 0;
  for (Tick now = 0; now < 100; ++now)
    wheel.advance(now, [&](TimerLink& link) {
      ++fired;
      wheel.cancel(&link == &a ? b : a);
      if (fired == 1) wheel.set(link, 50, now);
    });
  CHECK(fired == 2);
}
