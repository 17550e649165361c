#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <thread>
#include <vector>

#include "libnlb/core/rng.hpp"
#include "libnlb/metrics/histogram.hpp"

using namespace nlb;
using namespace nlb::metrics;

TEST_CASE("every duration falls into the bucket whose bounds hold it") {
  for (std::uint64_t us = 0; us < 100000; ++us) {
    const auto b = bucket_of(us * 1us);
    REQUIRE((bucket_start_us(b) <= us && us < bucket_end_us(b)));
  }
  for (unsigned e = 2; e < 38; ++e)
    for (std::int64_t off : {-1, 0, 1}) {
      const auto us = static_cast<std::uint64_t>((std::int64_t{1} << e) + off);
      const auto b = bucket_of(us * 1us);
      REQUIRE((bucket_start_us(b) <= us && us < bucket_end_us(b)));
    }
  CHECK(bucket_of(-1s) == 0);
  CHECK(bucket_of(999ns) == 0);
  CHECK(bucket_of(Duration::max()) == histogram_buckets - 1);
}

TEST_CASE("quantiles are within an eighth of the true ones") {
  Rng rng(3);
  Histogram h;
  std::vector<double> samples;
  for (int i = 0; i < 20000; ++i) {
    const double seconds = std::exp(-7 + 2 * (rng.uniform() + rng.uniform() + rng.uniform() - 1.5));
    samples.push_back(seconds);
    h.record(from_seconds(seconds));
  }
  std::sort(samples.begin(), samples.end());
  for (double q : {0.01, 0.25, 0.5, 0.9, 0.95, 0.99}) {
    const double exact = samples[static_cast<std::size_t>(q * 20000)];
    CAPTURE(q);
    CHECK(h.quantile_seconds(q) == Approx(exact).epsilon(0.125));
  }
  CHECK(Histogram{}.quantile_seconds(0.5) == 0);
}

TEST_CASE("what happened since is the difference, and a restart counts from zero") {
  Histogram before, after;
  before.record(1ms, 5);
  after = before;
  after.record(2ms, 3);
  auto since = after;
  since -= before;
  CHECK(since.count == 3);
  CHECK(since.sum_us == 6000);
  CHECK(since.counts[bucket_of(2ms)] == 3);
  auto restarted = before;
  restarted -= after;
  CHECK(restarted == before);
  before += since;
  CHECK(before == after);
}

TEST_CASE("a recorder is read by others while it is written") {
  Recorder recorder;
  std::uint64_t seen = 0;
  std::thread writer([&] { for (int i = 0; i < 50000; ++i) recorder.record(i * 1us); });
  while (seen < 50000) {
    const auto now = recorder.read().count;
    REQUIRE(now >= seen);
    seen = now;
  }
  writer.join();
  CHECK(recorder.read().sum_us == 49999ull * 25000);
}
