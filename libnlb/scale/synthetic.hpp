// Loads that nobody has to download: the shapes every scaler is asked about. Deterministic; one point a minute unless a shape jumps.
#pragma once

#include <array>
#include <string_view>

#include "libnlb/scale/trace.hpp"

namespace nlb::scale {

struct SyntheticRow { std::string_view name, meaning; };
inline constexpr std::array<SyntheticRow, 6> synthetic_rows = {{
    {"flat", "3 days at 100/s"},
    {"diurnal", "14 days between 30/s and 100/s, with a burst of 60 % for 10 minutes at noon of every day"},
    {"step", "3 days that jump between 33/s and 100/s every hour"},
    {"spike", "3 days at 20/s with 3 minutes at 100/s every 2 hours"},
    {"ramp", "3 days that climb from 20/s to 100/s in 15 minutes and fall again, every 2 hours"},
    {"walk", "7 days of a bounded random walk by the minute"},
}};

Result<Points> synthetic_trace(std::string_view name);   // errors: not_found, with the names there are

}  // namespace nlb::scale
