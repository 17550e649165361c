// Nanoseconds a detect() of each vector of tests/data/detection/vectors.tsv and of shared vectors where they are at hand; `slowest` repeats
// the slowest of them, found by a first short pass.
#include <benchmark/benchmark.h>

#include <chrono>

#include "../unit/inspect/corpus.hpp"

namespace {

using namespace nlb::inspect;

void detect_vector(benchmark::State& state, const Vector& v) {
  for (auto _ : state) {
    auto verdict = detect(v.bytes, v.from);
    benchmark::DoNotOptimize(verdict);
  }
}

void detect_all(benchmark::State& state, const std::vector<Vector>& vectors) {
  for (auto _ : state)
    for (const auto& v : vectors) {
      auto verdict = detect(v.bytes, v.from);
      benchmark::DoNotOptimize(verdict);
    }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(vectors.size()));
}

double nanoseconds(const Vector& v) {
  using clock = std::chrono::steady_clock;
  constexpr int rounds = 20000;
  double best = 1e9;
  for (int attempt = 0; attempt < 5; ++attempt) {
    const auto start = clock::now();
    for (int i = 0; i < rounds; ++i) {
      auto verdict = detect(v.bytes, v.from);
      benchmark::DoNotOptimize(verdict);
    }
    best = std::min(best, std::chrono::duration<double, std::nano>(clock::now() - start).count() / rounds);
  }
  return best;
}

}  // namespace

int main(int argc, char** argv) {
  static const auto vectors = all_vectors();
  const auto slowest = std::max_element(vectors.begin(), vectors.end(), [](const auto& a, const auto& b) { return nanoseconds(a) < nanoseconds(b); });
  benchmark::RegisterBenchmark("all_vectors", detect_all, vectors);
  benchmark::RegisterBenchmark(("slowest: " + slowest->name).c_str(), detect_vector, *slowest);
  for (const char* name : {"http GET", "redis PING\\r\\n", "inline PING", "startup 3.0", "op_msg", "client hello, record 3.1", "rtmp, zeros", "array"})
    for (const auto& v : vectors)
      if (v.name == name) benchmark::RegisterBenchmark(v.name.c_str(), detect_vector, v);
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
