#include "libnlb/route/client_sketch.hpp"

#include <catch2/catch.hpp>

#include "libnlb/core/hash.hpp"

using namespace nlb;

TEST_CASE("distinct clients are counted within a few percent, however often each comes") {
  for (const std::uint64_t clients : {0u, 1u, 10u, 400u, 5000u, 20000u}) {
    route::ClientSketch sketch;
    for (int times = 0; times < 3; ++times)
      for (std::uint64_t i = 0; i < clients; ++i) sketch.see(static_cast<std::uint32_t>(mix64(i + 1) % sticky_buckets));
    CHECK(static_cast<double>(sketch.clients()) == Approx(static_cast<double>(clients)).epsilon(0.04).margin(1));
    sketch.clear();
    CHECK(sketch.clients() == 0);
  }
}
