#include "libnlb/route/maglev.hpp"

#include <algorithm>

#include "libnlb/core/hash.hpp"

namespace nlb::route {
namespace {

struct Turn {
  std::uint64_t at = 0, skip = 1;   // the next place it asks for, and the step
  double credit = 0, share = 0;     // of the heaviest module's turns
};

std::vector<Turn> make_turns(std::span<const MaglevModule> modules) {
  std::uint32_t heaviest = 1;
  for (const auto& m : modules) heaviest = std::max(heaviest, m.weight);
  std::vector<Turn> turns;
  turns.reserve(modules.size());
  for (const auto& m : modules) {
    const auto hash = name_hash(m.name);
    turns.push_back({mix64(hash) % maglev_places, mix64(hash ^ 0x9e3779b97f4a7c15) % (maglev_places - 1) + 1, 0,
                     static_cast<double>(m.weight) / heaviest});
  }
  return turns;
}

}  // namespace

std::vector<std::uint16_t> build_maglev(std::span<const MaglevModule> modules) {
  constexpr std::uint16_t empty = 0xffff;
  if (modules.empty()) return {};
  std::vector<std::uint16_t> places(maglev_places, empty);
  auto turns = make_turns(modules);
  std::uint32_t filled = 0;
  for (;;)
    for (std::size_t i = 0; i < turns.size(); ++i) {
      Turn& turn = turns[i];
      if ((turn.credit += turn.share) < 1) continue;
      turn.credit -= 1;
      while (places[turn.at] != empty) turn.at = (turn.at + turn.skip) % maglev_places;
      places[turn.at] = static_cast<std::uint16_t>(i);
      if (++filled == maglev_places) return places;
    }
}

}  // namespace nlb::route
