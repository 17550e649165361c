// Time and sizes as values. Nothing here reads a clock: `now` is always a parameter.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "libnlb/core/result.hpp"

namespace nlb {

using Duration = std::chrono::nanoseconds;
using MonoTime = std::chrono::time_point<std::chrono::steady_clock, Duration>;   // leases, windows, deadlines
using WallTime = std::chrono::time_point<std::chrono::system_clock, Duration>;   // logs and schedules only

using std::chrono_literals::operator""ns;
using std::chrono_literals::operator""us;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;
using std::chrono_literals::operator""min;
using std::chrono_literals::operator""h;

inline double to_seconds(Duration d) { return std::chrono::duration<double>(d).count(); }
inline Duration from_seconds(double seconds) { return Duration(static_cast<std::int64_t>(seconds * 1e9)); }

// "50ms", "1.5s", "2m", "1h30m", "7d", "0"; units ns us ms s m h d. A bare number other than 0 is refused, since it has no unit.
Result<Duration> parse_duration(std::string_view text);
std::string format_duration(Duration d);   // the shortest exact text that parse_duration reads back

// "100MiB", "64k", "1500"; k M G T are powers of 1000, Ki Mi Gi Ti of 1024, a trailing B is optional.
Result<std::uint64_t> parse_size(std::string_view text);
std::string format_size(std::uint64_t bytes);   // for people: "1.5 GiB"

std::string format_rfc3339(WallTime t, int fraction_digits = 6);   // UTC, ends in Z (RFC 3339)

}  // namespace nlb
