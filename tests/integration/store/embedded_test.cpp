#include "tests/integration/store/conformance.hpp"

using namespace nlb;
using namespace nlb::store;
using namespace nlb::store::test;

TEST_CASE("the store in memory answers as every store") {
  for (const auto& part : conformance) {
    INFO(part.name);
    MemoryBench bench;
    part.run(bench);
  }
}

TEST_CASE("the store in SQLite answers as every store") {
  for (const auto& part : conformance) {
    INFO(part.name);
    SqliteBench bench;
    part.run(bench);
  }
}
