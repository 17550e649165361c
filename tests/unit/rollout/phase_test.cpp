#include <catch2/catch.hpp>

#include <map>
#include <set>

#include "libnlb/rollout/phase.hpp"

using namespace nlb::rollout;

namespace {

// What people may do where, written down a second time: a slip in the table must not agree with itself.
const std::map<Phase, std::string> expected_verbs = {
    {Phase::idle, "start, switch, undo"},
    {Phase::holding, "pause, promote --full, abort, rollback"},
    {Phase::shifting, "pause, promote --full, abort, rollback"},
    {Phase::baking, "pause, promote, promote --full, set-weight, abort, rollback"},
    {Phase::waiting_for_traffic, "pause, promote, promote --full, set-weight, abort, rollback"},
    {Phase::undecided, "resume, pause, promote, promote --full, set-weight, abort, rollback"},
    {Phase::paused, "resume, promote, promote --full, set-weight, abort, rollback"},
    {Phase::frozen, "abort, rollback"},
    {Phase::promoting, "abort, rollback"},
    {Phase::promoted, "rollback, start, switch, undo"},
    {Phase::rolling_back, "abort, rollback"},
    {Phase::rolled_back, "start, retry, switch, undo"},
};

template <class Each>
void for_each_phase(Each each) {
  for (std::size_t i = 0; i < phase_names.size(); ++i) each(static_cast<Phase>(i));
}

std::set<Phase> reachable(Phase from) {
  std::set<Phase> seen = {from};
  for (std::size_t before = 0; before != seen.size();) {
    before = seen.size();
    for (const auto& row : transitions)
      if (seen.count(row.from) != 0) seen.insert(row.to);
  }
  return seen;
}

}  // namespace

TEST_CASE("each phase allows exactly its verbs") {
  for_each_phase([](Phase phase) {
    INFO(to_string(phase));
    CHECK(list_verbs(phase) == expected_verbs.at(phase));
    for (std::size_t i = 0; i < verb_count; ++i) {
      const auto verb = static_cast<Input>(i);
      const bool listed = (", " + expected_verbs.at(phase) + ",").find(", " + std::string(to_string(verb)) + ",") != std::string::npos;
      CHECK(next_phase(phase, verb).has_value() == listed);
    }
  });
}

TEST_CASE("no row stands twice") {
  std::set<std::pair<Phase, Input>> seen;
  for (const auto& row : transitions) CHECK(seen.insert({row.from, row.input}).second);
}

TEST_CASE("every phase can be reached, and from each a rollback ends a running rollout") {
  CHECK(reachable(Phase::idle).size() == phase_names.size());
  for_each_phase([](Phase phase) {
    if (!is_running(phase)) return;
    INFO(to_string(phase));
    CHECK(next_phase(phase, Input::rollback) == Phase::rolling_back);
    CHECK(next_phase(phase, Input::abort) == Phase::rolling_back);
    if (phase != Phase::rolling_back) CHECK(next_phase(phase, Input::alarmed) == Phase::rolling_back);
  });
}

TEST_CASE("a rollback ends rolled back and nowhere else, and only promoting promotes") {
  for (const auto& row : transitions) {
    if (row.from == Phase::rolling_back) CHECK((row.to == Phase::rolling_back || row.to == Phase::rolled_back));
    if (row.to == Phase::rolled_back) CHECK(row.from == Phase::rolling_back);
    if (row.to == Phase::promoted) CHECK(row.from == Phase::promoting);
  }
}

TEST_CASE("names are read back") {
  for_each_phase([](Phase phase) { CHECK(parse_phase(to_string(phase)) == phase); });
  CHECK(parse_verb("set-weight") == Input::set_weight);
  CHECK_FALSE(parse_verb("alarmed"));
  CHECK_FALSE(parse_phase("nowhere"));
}
