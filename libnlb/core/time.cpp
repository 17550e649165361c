#include "libnlb/core/time.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <limits>
#include <optional>

namespace nlb {
namespace {

struct Unit {
  std::string_view name;
  double factor;
};

constexpr std::array<Unit, 7> duration_units = {{{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}, {"d", 86400e9}}};
constexpr std::array<Unit, 10> size_units = {{{"", 1}, {"k", 1e3}, {"K", 1e3}, {"M", 1e6}, {"G", 1e9}, {"T", 1e12},
                                              {"Ki", 1024.0}, {"Mi", 1048576.0}, {"Gi", 1073741824.0}, {"Ti", 1099511627776.0}}};

template <std::size_t N>
std::optional<double> factor_of(const std::array<Unit, N>& units, std::string_view name) {
  for (const auto& unit : units)
    if (unit.name == name) return unit.factor;
  return std::nullopt;
}

// Takes "12.5" off the front of `text`; nullopt when there is no number.
std::optional<double> take_number(std::string_view& text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  if (error != std::errc{} || !std::isfinite(value) || value < 0) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return value;
}

std::string_view take_letters(std::string_view& text) {
  std::size_t n = 0;
  while (n < text.size() && ((text[n] >= 'a' && text[n] <= 'z') || (text[n] >= 'A' && text[n] <= 'Z'))) ++n;
  const auto letters = text.substr(0, n);
  text.remove_prefix(n);
  return letters;
}

}  // namespace

Result<Duration> parse_duration(std::string_view text) {
  const auto refuse = [whole = std::string(text)] {
    return fail(ErrorKind::bad_input, "'" + whole + "' is no duration: write a number and a unit, such as 50ms, 2s, 1h30m (units: ns us ms s m h d)");
  };
  if (text == "0") return Duration{0};
  double total = 0;
  if (text.empty()) return refuse();
  while (!text.empty()) {
    const auto value = take_number(text);
    if (!value) return refuse();
    const auto factor = factor_of(duration_units, take_letters(text));
    if (!factor) return refuse();
    total += *value * *factor;
  }
  if (total > 9.2e18) return refuse();
  return Duration{std::llround(total)};
}

std::string format_duration(Duration d) {
  auto ns = d.count();
  if (ns == 0) return "0";
  std::string text = ns < 0 ? "-" : "";
  auto left = ns < 0 ? 0 - static_cast<std::uint64_t>(ns) : static_cast<std::uint64_t>(ns);
  static constexpr std::array<std::pair<std::string_view, std::uint64_t>, 7> units = {
      {{"d", 86400000000000}, {"h", 3600000000000}, {"m", 60000000000}, {"s", 1000000000}, {"ms", 1000000}, {"us", 1000}, {"ns", 1}}};
  for (const auto& [name, size] : units) {
    if (left < size) continue;
    text += std::to_string(left / size);
    text += name;
    left %= size;
  }
  return text;
}

Result<std::uint64_t> parse_size(std::string_view text) {
  const std::string whole(text);
  const auto value = take_number(text);
  auto unit = text;
  if (unit.ends_with('B')) unit.remove_suffix(1);
  const auto factor = value ? factor_of(size_units, unit) : std::nullopt;
  if (!factor || *value * *factor > 1.8e19)
    return fail(ErrorKind::bad_input, "'" + whole + "' is no size: write a number and a unit, such as 4096, 64KiB, 100MiB (units: k M G T, Ki Mi Gi Ti)");
  return static_cast<std::uint64_t>(*value * *factor);
}

std::string format_size(std::uint64_t bytes) {
  static constexpr std::array<const char*, 6> units = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < units.size()) {
    value /= 1024;
    ++unit;
  }
  char text[32];
  std::snprintf(text, sizeof text, unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
  return text;
}

std::string format_rfc3339(WallTime t, int fraction_digits) {
  const auto since_epoch = t.time_since_epoch();
  const auto whole = std::chrono::floor<std::chrono::seconds>(since_epoch);
  const auto seconds = static_cast<std::time_t>(whole.count());
  auto fraction = (since_epoch - whole).count();
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[64];
  const auto n = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
  std::string out(text, n);
  if (fraction_digits > 0) {
    char digits[16];
    std::snprintf(digits, sizeof digits, ".%09lld", static_cast<long long>(fraction));
    out.append(digits, static_cast<std::size_t>(fraction_digits) + 1);
  }
  return out + "Z";
}

}  // namespace nlb
