#include <catch2/catch.hpp>

#include <limits>
#include <thread>
#include <vector>

#include "libnlb/core/rng.hpp"
#include "libnlb/limit/bucket.hpp"

using namespace nlb;
using nlb::limit::Bucket;

namespace {
const MonoTime start{100000s};

int takes(Bucket& bucket, MonoTime now, int most) {
  int passed = 0;
  for (int i = 0; i < most; ++i) passed += bucket.take(now);
  return passed;
}
}  // namespace

TEST_CASE("at one instant exactly the burst passes") {
  for (double rate : {0.001, 0.3, 1.0, 3.0, 7.0, 100.0, 9999.0, 1e6, 1.3e7})
    for (int burst : {1, 2, 7, 100, 50000}) {
      Bucket bucket(rate, burst);
      CAPTURE(rate, burst);
      CHECK(takes(bucket, start, burst + 10) == burst);
      CHECK(bucket.available(start) < 1);
    }
}

TEST_CASE("over time exactly the rate passes") {
  Bucket bucket(250, 10);
  CHECK(takes(bucket, start, 100) == 10);
  int passed = 0;
  for (int ms = 1; ms <= 10000; ++ms) passed += takes(bucket, start + ms * 1ms, 3);
  CHECK(passed == 2500);
}

TEST_CASE("a clock that goes backwards adds no tokens") {
  Bucket bucket(10, 5);
  CHECK(takes(bucket, start, 10) == 5);
  for (int s = 1; s < 1000; ++s) REQUIRE_FALSE(bucket.take(start - s * 1s));
  CHECK_FALSE(bucket.take(start));
  CHECK(takes(bucket, start + 100ms, 10) == 1);
}

TEST_CASE("the promised wait is enough and one nanosecond less is not") {
  Rng rng(7);
  for (int round = 0; round < 2000; ++round) {
    Bucket bucket(0.5 + 1000 * rng.uniform(), 1 + static_cast<double>(rng.below(20)));
    auto now = start + Duration(rng.below(1000000000));
    takes(bucket, now, static_cast<int>(rng.below(30)));
    const auto wait = bucket.retry_after(now);
    CAPTURE(round);
    if (wait > 0ns) REQUIRE_FALSE(bucket.take(now + wait - 1ns));
    REQUIRE(bucket.take(now + wait));
  }
}

TEST_CASE("tokens given back can be taken again, and never fill above the burst") {
  Bucket bucket(1, 3);
  CHECK(takes(bucket, start, 9) == 3);
  bucket.give_back();
  CHECK(takes(bucket, start, 9) == 1);
  bucket.give_back(3);
  CHECK(takes(bucket, start, 9) == 3);
  bucket.give_back(3);
  CHECK(takes(bucket, start + 1h, 9) == 3);
}

TEST_CASE("several tokens are taken together or not at all") {
  Bucket bucket(1, 10);
  CHECK(bucket.take(start, 7));
  CHECK_FALSE(bucket.take(start, 4));
  CHECK(bucket.available(start) == Approx(3));
  CHECK(bucket.take(start, 3));
  CHECK(bucket.retry_after(start, 11) == Duration::max());
}

TEST_CASE("absurd rates, bursts, amounts and times neither overflow nor let more through") {
  const auto huge = std::numeric_limits<std::uint64_t>::max();
  for (double rate : {1e-300, 1e-6, 1.0, 1e12, 1e300, std::numeric_limits<double>::infinity()})
    for (double burst : {0.0, 1.0, 1e300, std::numeric_limits<double>::infinity()}) {
      Bucket bucket(rate, burst);
      CAPTURE(rate, burst);
      CHECK(bucket.take(MonoTime{}, 1));
      if (rate < 1e9) {   // at 1e12 a second, four years' burst is more than a 64-bit amount
        CHECK_FALSE(bucket.take(MonoTime{}, huge));
        CHECK(bucket.retry_after(start, huge) == Duration::max());
      }
      CHECK(bucket.available(start) >= 0);
      CHECK(bucket.take(start + 24h * 365 * 10, 1));
    }
  limit::Rate bytes(1e9, 1e6);
  limit::Level level{0};
  for (int i = 0; i < 100; ++i) CHECK(bytes.charge(level, start, huge) >= 0ns);
  CHECK_FALSE(limit::Rate(0, 5).limited());
  CHECK_FALSE(limit::Rate(std::numeric_limits<double>::quiet_NaN(), 5).limited());
}

TEST_CASE("charged bytes flow at the rate in the long run") {
  for (double rate : {1e5, 1e8, 3e9}) {
    limit::Rate bytes(rate, 65536);
    limit::Level level{0};
    auto now = start;
    const std::uint64_t chunk = 16384, chunks = 20000;
    for (std::uint64_t i = 0; i < chunks; ++i) now += bytes.charge(level, now, chunk);
    CHECK(static_cast<double>(chunk * chunks) / to_seconds(now - start) == Approx(rate).epsilon(0.01));
  }
}

TEST_CASE("another rate keeps the share of the burst that is spent") {
  limit::Rate before(10, 100), after(1000, 50);
  limit::Level level{0};
  CHECK(before.take(level, start, 60));
  after.rescale(level, before, start);
  CHECK(after.available(level, start) == Approx(20));
  after.rescale(level, after, start + 1s);
  CHECK(after.available(level, start) == Approx(20));
}

TEST_CASE("threads that take at once get exactly the burst together") {
  Bucket bucket(1, 10000);
  std::vector<std::thread> threads;
  std::atomic<int> passed{0};
  for (int t = 0; t < 4; ++t) threads.emplace_back([&] { passed += takes(bucket, start, 5000); });
  for (auto& thread : threads) thread.join();
  CHECK(passed == 10000);
}
