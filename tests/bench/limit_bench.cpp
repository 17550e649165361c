// Taking a token, and admitting a session under several rules. `now` moves on by a microsecond a time, as it does in a busy loop.
#include <benchmark/benchmark.h>

#include "libnlb/limit/bucket.hpp"
#include "libnlb/limit/limits.hpp"

using namespace nlb;

namespace {

limit::Bucket shared_bucket(1e7, 1e9);

void take_a_token(benchmark::State& state) {
  MonoTime now{1000s};
  for (auto _ : state) benchmark::DoNotOptimize(shared_bucket.take(now += 1us));
}
BENCHMARK(take_a_token)->Threads(1)->Threads(2);

limit::Rule rule(std::string name, limit::Per per, double rate, std::uint64_t connections, std::uint64_t bytes = 0) {
  limit::Rule r;
  r.name = std::move(name), r.per = per, r.rate = r.burst = rate, r.connections = connections, r.bytes_per_second = bytes;
  return r;
}

void admit_and_release(benchmark::State& state, std::vector<limit::Rule> rules) {
  const auto set = *limit::LimitSet::build(std::move(rules), {"web"}, MonoTime{});
  limit::Subject subject{Protocol::http, name_hash("web"), {}};
  MonoTime now{1000s};
  std::uint32_t client = 0;
  for (auto _ : state) {
    subject.client = IpAddress::v4(client++ & 0xffff);
    const auto admission = set->admit(subject, now += 1us);
    benchmark::DoNotOptimize(admission.allowed);
    set->release(admission.ticket);
  }
}
BENCHMARK_CAPTURE(admit_and_release, no_rules, {});
BENCHMARK_CAPTURE(admit_and_release, protocol_rate, {rule("a", limit::Per::protocol, 1e9, 0)});
BENCHMARK_CAPTURE(admit_and_release, protocol_and_service, {rule("a", limit::Per::protocol, 1e9, 0), rule("b", limit::Per::service, 1e9, 100)});
BENCHMARK_CAPTURE(admit_and_release, client_of_65536, {rule("c", limit::Per::client, 1e9, 100)});

void charge(benchmark::State& state, std::vector<limit::Rule> rules) {
  const auto set = *limit::LimitSet::build(std::move(rules), {"web"}, MonoTime{});
  const auto ticket = set->admit({Protocol::http, name_hash("web"), IpAddress::v4(1)}, MonoTime{1000s}).ticket;
  MonoTime now{1000s};
  for (auto _ : state) benchmark::DoNotOptimize(set->charge(ticket, 1000, now += 1us));
  set->release(ticket);
}
BENCHMARK_CAPTURE(charge, no_byte_rule, {rule("a", limit::Per::protocol, 0, 100)});
BENCHMARK_CAPTURE(charge, protocol_bytes, {rule("a", limit::Per::protocol, 0, 100, 10000000000)});
BENCHMARK_CAPTURE(charge, client_bytes, {rule("a", limit::Per::client, 0, 100, 10000000000)});

}  // namespace
