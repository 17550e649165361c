// Whose word holds when an operator, nlb-scale and the module itself speak of one module's leaving.
#include <catch2/catch.hpp>

#include "libnlb/registry/departure.hpp"

using namespace nlb;
using namespace nlb::registry;

namespace {

constexpr MonoTime later = MonoTime{} + 5s;
const std::string fewer = "4 to 3";

}  // namespace

TEST_CASE("the scaler's drain is taken back by its list, an operator's isn't, whoever was first") {
  Departure departure;
  departure.listed(&fewer);
  CHECK(departure.draining());
  CHECK(departure.reason == "nlb-scale: 4 to 3");
  departure.listed(nullptr);
  CHECK_FALSE(departure.draining());

  departure.listed(&fewer);
  departure.drain("a new disk");
  departure.listed(nullptr);
  CHECK(departure.draining());
  departure.listed(&fewer);                  // says nothing new
  CHECK(departure.reason == "a new disk");
}

TEST_CASE("who was taken out stays so when it leaves by itself, and not when it may stay") {
  Departure departure;
  departure.leave(later, true, "too old");
  departure.leave(later + 1s, false, "it is ending");
  CHECK(departure.dismissed);
  CHECK(departure.remove_at == later + 1s);
  departure.stay();
  CHECK_FALSE(departure.dismissed);
  CHECK_FALSE(departure.draining());

  departure.leave(later, false, "it is ending");
  CHECK_FALSE(departure.dismissed);
}

TEST_CASE("a drain goes on when a leaving is taken back") {
  Departure departure;
  departure.drain("a new disk");
  departure.leave(later, true, "too old");
  departure.stay();
  CHECK(departure.draining());
  CHECK_FALSE(departure.remove_at);
}
