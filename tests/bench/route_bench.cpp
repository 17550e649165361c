// Picking (and giving back) among modules by every picker, with sessions open on each; routing with and without rules.
#include <benchmark/benchmark.h>

#include "libnlb/route/outlier.hpp"
#include "libnlb/route/table.hpp"

using namespace nlb;
using namespace nlb::route;

namespace {

struct Bench {
  TableInput input;
  Roster roster{2};
  std::shared_ptr<const Table> table;
  std::vector<Slot> open;

  Bench(Picker picker, std::size_t modules, bool split = false) {
    for (std::size_t i = 0; i < modules; ++i) {
      registry::Module m;
      m.name = "module-" + std::to_string(i);
      m.service = "http";
      m.protocol = Protocol::http;
      m.version = i % 2 == 0 ? "v1" : "v2";
      m.weight = static_cast<std::uint32_t>(50 + i % 3 * 50);
      m.state.health = registry::Health::healthy;
      input.modules.push_back(m);
    }
    input.services["http"].picker = picker;
    if (split) input.splits = {{"http", {{"v2", 1000}, {"v1", 9000}}, SplitSticky::client, {}, 1}};
    table = *Table::build(input, roster, MonoTime{1s});
    for (const auto& m : table->service(0).modules) observe_latency(*m, 1ms, MonoTime{1s});
    Rng rng(1);
    for (std::size_t i = 0; i < modules * 10; ++i)
      open.push_back(table->pick(0, {IpAddress::v4(static_cast<std::uint32_t>(i)), 0, MonoTime{2s}, rng, {}}).slot);
    for (auto& slot : open) slot.connected();
  }
};

void pick(benchmark::State& state, Picker picker, bool split) {
  const Bench bench(picker, static_cast<std::size_t>(state.range(0)), split);
  Rng rng(7);
  std::uint32_t client = 0;
  for (auto _ : state) {
    auto result = bench.table->pick(0, {IpAddress::v4(client++), 0, MonoTime{100s}, rng, {}});
    result.slot.connected();
    benchmark::DoNotOptimize(result.slot.module());
  }
}
BENCHMARK_CAPTURE(pick, least_conn, Picker::least_conn, false)->Arg(3)->Arg(8)->Arg(50)->Arg(1000);
BENCHMARK_CAPTURE(pick, round_robin, Picker::round_robin, false)->Arg(50);
BENCHMARK_CAPTURE(pick, random, Picker::random, false)->Arg(50);
BENCHMARK_CAPTURE(pick, p2c, Picker::p2c, false)->Arg(50);
BENCHMARK_CAPTURE(pick, hash, Picker::hash, false)->Arg(50);
BENCHMARK_CAPTURE(pick, latency, Picker::latency, false)->Arg(50);
BENCHMARK_CAPTURE(pick, least_conn_split, Picker::least_conn, true)->Arg(50);

void route_by_protocol(benchmark::State& state) {
  const Bench bench(Picker::least_conn, 3);
  RouteQuestion q;
  q.protocol = Protocol::http;
  for (auto _ : state) {
    benchmark::DoNotOptimize(q);
    benchmark::DoNotOptimize(bench.table->route(q));
  }
}
BENCHMARK(route_by_protocol);

void route_by_sni(benchmark::State& state) {
  Bench bench(Picker::least_conn, 3);
  for (int i = 0; i < state.range(0); ++i) {
    RouteRule rule;
    rule.sni = "*.tenant" + std::to_string(i) + ".example";
    rule.service = "http";
    bench.input.routes.push_back(rule);
  }
  const auto table = *Table::build(bench.input, bench.roster, MonoTime{1s});
  const auto last = "www.tenant" + std::to_string(state.range(0) - 1) + ".example";
  RouteQuestion q;
  q.protocol = Protocol::tls;
  q.sni = last;
  q.details_complete = true;
  for (auto _ : state) {
    benchmark::DoNotOptimize(q);
    benchmark::DoNotOptimize(table->route(q));
  }
}
BENCHMARK(route_by_sni)->Arg(1)->Arg(10)->Arg(100);

void build_a_table(benchmark::State& state, Picker picker) {
  Bench bench(picker, 50);
  for (auto _ : state) benchmark::DoNotOptimize(Table::build(bench.input, bench.roster, MonoTime{1s}));
}
BENCHMARK_CAPTURE(build_a_table, least_conn, Picker::least_conn)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(build_a_table, hash, Picker::hash)->Unit(benchmark::kMicrosecond);

}  // namespace
