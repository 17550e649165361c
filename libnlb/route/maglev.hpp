// Maglev's lookup table (Eisenbud and others, NSDI 2016, section 3.4): every module fills 1/n of 65,537 places in an
// order of its own, and when a module leaves, nearly all the other places stay as they are. Weights give a module as
// many turns as its share asks for.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace nlb::route {

inline constexpr std::uint32_t maglev_places = 65537;

struct MaglevModule {
  std::string_view name;        // decides its order of places, so it must be the same on every forwarder
  std::uint32_t weight = 1;     // > 0
};

// One index into `modules` per place; empty without modules. Precondition: fewer than 65,536 modules. Cost: some 3 ms.
std::vector<std::uint16_t> build_maglev(std::span<const MaglevModule> modules);

}  // namespace nlb::route
