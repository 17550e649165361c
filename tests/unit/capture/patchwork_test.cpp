#include "libnlb/capture/patchwork.hpp"

#include <catch2/catch.hpp>
#include <map>

#include "libnlb/core/rng.hpp"

using namespace nlb;
using namespace nlb::capture;

TEST_CASE("a patchwork holds what a map of first copies holds") {
  const auto seed = GENERATE(range(1, 300));
  INFO("seed " << seed);
  Rng rng(static_cast<std::uint64_t>(seed));
  Patchwork patchwork;
  std::map<std::size_t, std::uint8_t> model;
  for (int i = 0; i < 40; ++i) {
    const auto begin = rng.below(100);
    std::vector<std::uint8_t> data(rng.below(20));
    for (auto& byte : data) byte = static_cast<std::uint8_t>(rng());
    patchwork.place(begin, data);
    for (std::size_t k = 0; k < data.size(); ++k) model.emplace(begin + k, data[k]);
    std::size_t prefix = 0;
    while (model.contains(prefix)) ++prefix;
    REQUIRE(patchwork.prefix() == prefix);
    for (std::size_t k = 0; k < prefix; ++k) REQUIRE(patchwork.bytes()[k] == model[k]);
  }
}

TEST_CASE("more pieces than the limit are dropped, and the first ones stay") {
  Patchwork patchwork;
  const std::uint8_t byte[] = {7};
  for (std::size_t i = 0; i < Patchwork::pieces_max + 10; ++i) patchwork.place(i * 2, byte);
  CHECK(patchwork.prefix() == 1);
  for (std::size_t i = 0; i < Patchwork::pieces_max; ++i) patchwork.place(i * 2 + 1, byte);
  CHECK(patchwork.prefix() == Patchwork::pieces_max * 2);
}
