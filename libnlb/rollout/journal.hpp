// The rollout's state as one JSON object, for the journal: what is written before acting, and read after a crash.
// Unknown keys are ignored (a newer writer); a missing one is an error, since half a state is worse than none.
#pragma once

#include <string>
#include <string_view>

#include "libnlb/rollout/rollout.hpp"

namespace nlb::rollout {

std::string to_json(const Rollout::State& state);
Result<Rollout::State> from_json(std::string_view text);   // bad_input

}  // namespace nlb::rollout
