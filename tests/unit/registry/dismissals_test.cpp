// Who stays out, for how long, and whom the list gives up when it is full.
#include <catch2/catch.hpp>

#include "libnlb/registry/dismissals.hpp"
#include "tests/support/registry_records.hpp"

using namespace nlb;
using namespace nlb::registry;
using nlb::testing::record;

namespace {

constexpr MonoTime at(Duration d) { return MonoTime{} + d; }

Dismissal out(std::string name, Duration when = 0s, std::uint64_t incarnation = 5) {
  auto module = record(std::move(name));
  module.incarnation = incarnation;
  return {std::make_shared<const Module>(std::move(module)), 7, at(when)};
}

}  // namespace

TEST_CASE("a dismissal covers its process and older ones, by incarnation, or by address where there is none") {
  const auto dismissal = out("a");
  auto wanted = record("a");
  for (const auto& [incarnation, covered] : std::map<std::uint64_t, bool>{{4, true}, {5, true}, {6, false}}) {
    wanted.incarnation = incarnation;
    CHECK(dismissal.covers(wanted) == covered);
  }
  CHECK(dismissal.covers(record("a")));
  CHECK_FALSE(dismissal.covers(record("a", 8081)));
}

TEST_CASE("who is silent for long is forgotten, the longest silent first; who knocks isn't") {
  Dismissals dismissals;
  for (int i = 0; i < 4; ++i) CHECK(dismissals.add(out("m" + std::to_string(i), 1s * i)).empty());
  dismissals.heard("web/m1", at(10s));
  dismissals.heard("web/nobody", at(10s));
  CHECK(dismissals.forget_silent(at(dismissal_max - 1ns)).empty());
  CHECK(dismissals.forget_silent(at(dismissal_max + 2s)) == std::vector<ModuleKey>{{"web", "m0"}, {"web", "m2"}});
  CHECK(dismissals.find("web/m1") != nullptr);
  CHECK(dismissals.remove("web/m1"));
  CHECK_FALSE(dismissals.remove("web/m1"));
  CHECK(dismissals.list().size() == 1);
  CHECK(dismissals.dropped() == 0);
}

TEST_CASE("the second dismissal of a name replaces the first") {
  Dismissals dismissals;
  dismissals.add(out("a", 0s, 5));
  dismissals.add(out("b", 1s));
  CHECK(dismissals.add(out("a", 2s, 6)).empty());
  CHECK(dismissals.size() == 2);
  CHECK(dismissals.list().size() == 2);
  CHECK(dismissals.find("web/a")->module->incarnation == 6);
  CHECK(dismissals.list().front().module->name == "b");
}

TEST_CASE("a full list gives up whom it hasn't heard of for longest, and counts it") {
  Dismissals dismissals;
  for (std::size_t i = 0; i < dismissed_max; ++i) dismissals.add(out("m" + std::to_string(i)));
  dismissals.heard("web/m0", at(1s));
  CHECK(dismissals.add(out("one-more", 1s)) == std::vector<ModuleKey>{{"web", "m1"}});
  CHECK(dismissals.size() == dismissed_max);
  CHECK(dismissals.find("web/m0") != nullptr);
  CHECK(dismissals.dropped() == 1);
}
