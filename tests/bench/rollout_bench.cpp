// What a forwarder pays per connection for the split, and a controller per second for the judge.
#include <benchmark/benchmark.h>

#include "libnlb/core/sticky.hpp"
#include "libnlb/rollout/distinct.hpp"
#include "libnlb/rollout/judge.hpp"

using namespace nlb;
using namespace nlb::rollout;

static void sticky_pick(benchmark::State& state) {
  const SipKey salt{1, 2, 3};
  std::uint32_t address = 0x7f000001;
  for (auto _ : state) benchmark::DoNotOptimize(sticky_bucket(salt, IpAddress::v4(address++), "web") < 1000);
}
BENCHMARK(sticky_pick);

static void first_failure(benchmark::State& state) {
  FailingClients clients;
  std::uint64_t key = 1;
  std::int64_t count = 0;
  for (auto _ : state) benchmark::DoNotOptimize(clients.first_failure(mix64(++key), ++count / 1000));
}
BENCHMARK(first_failure);

static void judge_second(benchmark::State& state) {
  Judge judge;
  Sample sample{0, 0.1, {{0, {100, 900, 0, 1}, {}}}};
  for (auto _ : state) {
    ++sample.second;
    judge.book(sample);
    benchmark::DoNotOptimize(judge.verdict());
  }
}
BENCHMARK(judge_second);
