// The life of a rollout as a table: phases, what can happen in each, and what it leads to. The table is the only source of which
// verbs are legal; the manual's diagram and the refusals ("legal now: pause, abort") are made from it.
//
//   idle -> holding -> shifting -> baking -> holding -> ... -> promoting -> promoted -> idle
// and from every phase in which the canary may have traffic, `rollback`, `abort` and an alarm lead to rolling_back, which ends with
// stable at 100 %. Guards (has every forwarder acknowledged? has the judge seen enough?) are in rollout.cpp; a row says only
// what follows once they hold.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nlb::rollout {

enum class Phase : std::uint8_t {
  idle,                 // one version has all traffic
  holding,              // waits for the capacity that the next step needs
  shifting,             // weights are published; waits for every live forwarder
  baking,               // the step's time runs, the judge watches
  waiting_for_traffic,  // time is over, but too little was seen to say anything
  undecided,            // the step's deadline passed without an answer; needs a person
  paused,               // by a person
  frozen,               // a site of the group alarmed and went back; the others stay as they are
  promoting,            // the new version gets 100 %; waits for every live forwarder
  promoted,             // done; the old version is kept warm, rollback is one message
  rolling_back,         // stable gets 100 %
  rolled_back,          // done
};

enum class Input : std::uint8_t {
  start, switch_over, pause, resume, promote, promote_full, abort, rollback, retry, set_weight, undo,   // verbs, from people
  capacity_ready, applied, passed, completed, starved, fed, overdue, alarmed, site_alarmed, kept,   // events
};

inline constexpr std::array<std::string_view, 12> phase_names = {
    "idle", "holding", "shifting", "baking", "waiting_for_traffic", "undecided", "paused", "frozen", "promoting", "promoted",
    "rolling_back", "rolled_back"};
inline constexpr std::array<std::string_view, 21> input_names = {
    "start", "switch", "pause", "resume", "promote", "promote --full", "abort", "rollback", "retry", "set-weight", "undo",
    "capacity_ready", "applied", "passed", "completed", "starved", "fed", "overdue", "alarmed", "site_alarmed", "kept"};
inline constexpr std::size_t verb_count = 11;

constexpr std::string_view to_string(Phase phase) { return phase_names[static_cast<std::size_t>(phase)]; }
constexpr std::string_view to_string(Input input) { return input_names[static_cast<std::size_t>(input)]; }
constexpr bool is_verb(Input input) { return static_cast<std::size_t>(input) < verb_count; }

struct Transition { Phase from; Input input; Phase to; };

inline constexpr auto transitions = std::to_array<Transition>({
    {Phase::idle, Input::start, Phase::holding},
    {Phase::idle, Input::switch_over, Phase::promoting},
    {Phase::idle, Input::undo, Phase::promoting},

    {Phase::holding, Input::capacity_ready, Phase::shifting},
    {Phase::holding, Input::overdue, Phase::undecided},
    {Phase::holding, Input::pause, Phase::paused},
    {Phase::holding, Input::promote_full, Phase::promoting},
    {Phase::holding, Input::abort, Phase::rolling_back},
    {Phase::holding, Input::rollback, Phase::rolling_back},
    {Phase::holding, Input::alarmed, Phase::rolling_back},
    {Phase::holding, Input::site_alarmed, Phase::frozen},

    {Phase::shifting, Input::applied, Phase::baking},
    {Phase::shifting, Input::overdue, Phase::undecided},
    {Phase::shifting, Input::pause, Phase::paused},
    {Phase::shifting, Input::promote_full, Phase::promoting},
    {Phase::shifting, Input::abort, Phase::rolling_back},
    {Phase::shifting, Input::rollback, Phase::rolling_back},
    {Phase::shifting, Input::alarmed, Phase::rolling_back},
    {Phase::shifting, Input::site_alarmed, Phase::frozen},

    {Phase::baking, Input::passed, Phase::holding},
    {Phase::baking, Input::completed, Phase::promoting},
    {Phase::baking, Input::starved, Phase::waiting_for_traffic},
    {Phase::baking, Input::overdue, Phase::undecided},
    {Phase::baking, Input::pause, Phase::paused},
    {Phase::baking, Input::promote, Phase::holding},
    {Phase::baking, Input::promote_full, Phase::promoting},
    {Phase::baking, Input::set_weight, Phase::paused},
    {Phase::baking, Input::abort, Phase::rolling_back},
    {Phase::baking, Input::rollback, Phase::rolling_back},
    {Phase::baking, Input::alarmed, Phase::rolling_back},
    {Phase::baking, Input::site_alarmed, Phase::frozen},

    {Phase::waiting_for_traffic, Input::fed, Phase::baking},
    {Phase::waiting_for_traffic, Input::overdue, Phase::undecided},
    {Phase::waiting_for_traffic, Input::pause, Phase::paused},
    {Phase::waiting_for_traffic, Input::promote, Phase::holding},
    {Phase::waiting_for_traffic, Input::promote_full, Phase::promoting},
    {Phase::waiting_for_traffic, Input::set_weight, Phase::paused},
    {Phase::waiting_for_traffic, Input::abort, Phase::rolling_back},
    {Phase::waiting_for_traffic, Input::rollback, Phase::rolling_back},
    {Phase::waiting_for_traffic, Input::alarmed, Phase::rolling_back},
    {Phase::waiting_for_traffic, Input::site_alarmed, Phase::frozen},

    {Phase::undecided, Input::resume, Phase::holding},
    {Phase::undecided, Input::pause, Phase::paused},
    {Phase::undecided, Input::promote, Phase::holding},
    {Phase::undecided, Input::promote_full, Phase::promoting},
    {Phase::undecided, Input::set_weight, Phase::paused},
    {Phase::undecided, Input::abort, Phase::rolling_back},
    {Phase::undecided, Input::rollback, Phase::rolling_back},
    {Phase::undecided, Input::alarmed, Phase::rolling_back},
    {Phase::undecided, Input::site_alarmed, Phase::frozen},

    {Phase::paused, Input::resume, Phase::holding},
    {Phase::paused, Input::promote, Phase::holding},
    {Phase::paused, Input::promote_full, Phase::promoting},
    {Phase::paused, Input::set_weight, Phase::paused},
    {Phase::paused, Input::abort, Phase::rolling_back},
    {Phase::paused, Input::rollback, Phase::rolling_back},
    {Phase::paused, Input::alarmed, Phase::rolling_back},
    {Phase::paused, Input::site_alarmed, Phase::frozen},

    {Phase::frozen, Input::abort, Phase::rolling_back},
    {Phase::frozen, Input::rollback, Phase::rolling_back},
    {Phase::frozen, Input::alarmed, Phase::rolling_back},
    {Phase::frozen, Input::site_alarmed, Phase::frozen},

    {Phase::promoting, Input::applied, Phase::promoted},
    {Phase::promoting, Input::abort, Phase::rolling_back},
    {Phase::promoting, Input::rollback, Phase::rolling_back},
    {Phase::promoting, Input::alarmed, Phase::rolling_back},

    {Phase::promoted, Input::kept, Phase::idle},
    {Phase::promoted, Input::rollback, Phase::rolling_back},
    {Phase::promoted, Input::start, Phase::holding},
    {Phase::promoted, Input::switch_over, Phase::promoting},
    {Phase::promoted, Input::undo, Phase::promoting},

    {Phase::rolling_back, Input::applied, Phase::rolled_back},
    {Phase::rolling_back, Input::abort, Phase::rolling_back},
    {Phase::rolling_back, Input::rollback, Phase::rolling_back},

    {Phase::rolled_back, Input::start, Phase::holding},
    {Phase::rolled_back, Input::retry, Phase::holding},
    {Phase::rolled_back, Input::switch_over, Phase::promoting},
    {Phase::rolled_back, Input::undo, Phase::promoting},
});

// Where `input` leads from `from`; nullopt: it isn't legal there.
constexpr std::optional<Phase> next_phase(Phase from, Input input) {
  for (const auto& row : transitions)
    if (row.from == from && row.input == input) return row.to;
  return std::nullopt;
}

std::vector<Input> legal_verbs(Phase phase);
std::string list_verbs(Phase phase);                          // "pause, promote, abort, rollback"
std::optional<Phase> parse_phase(std::string_view name);
std::optional<Input> parse_verb(std::string_view name);

// A rollout is running: a second start is refused. (promoted, rolled_back and idle are at rest.)
constexpr bool is_running(Phase phase) { return phase != Phase::idle && phase != Phase::promoted && phase != Phase::rolled_back; }
// The canary may have traffic and has not got all of it: the judge's alarm counts.
constexpr bool is_judged(Phase phase) { return next_phase(phase, Input::alarmed).has_value(); }

}  // namespace nlb::rollout
