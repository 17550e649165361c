#include "libnlb/rollout/phase.hpp"

namespace nlb::rollout {

std::vector<Input> legal_verbs(Phase phase) {
  std::vector<Input> verbs;
  for (const auto& row : transitions)
    if (row.from == phase && is_verb(row.input)) verbs.push_back(row.input);
  return verbs;
}

std::string list_verbs(Phase phase) {
  std::string text;
  for (auto verb : legal_verbs(phase)) text += (text.empty() ? "" : ", ") + std::string(to_string(verb));
  return text;
}

std::optional<Phase> parse_phase(std::string_view name) {
  for (std::size_t i = 0; i < phase_names.size(); ++i)
    if (phase_names[i] == name) return static_cast<Phase>(i);
  return std::nullopt;
}

std::optional<Input> parse_verb(std::string_view name) {
  for (std::size_t i = 0; i < verb_count; ++i)
    if (input_names[i] == name) return static_cast<Input>(i);
  return std::nullopt;
}

}  // namespace nlb::rollout
