// Text on a terminal: how wide it is, how to cut it, and what colour it has.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace nlb::cli {

// Columns that UTF-8 text takes: 0 for control and combining characters and for ANSI escapes, 2 for wide ones (East Asian, emoji), else 1.
// A damaged byte counts as one column. O(length).
std::size_t display_width(std::string_view utf8);
std::string cut_to_width(std::string_view utf8, std::size_t columns);   // ends in … when something was cut; escapes are closed

// Text that came from the network or a file, safe to print: control characters become visible (\x1b).
std::string printable(std::string_view text);

enum class Tint : std::uint8_t { none, red, green, yellow, blue, magenta, cyan, dim, bold };
std::string tinted(std::string_view text, Tint tint, bool color);   // as it is when `color` is false

std::size_t terminal_width(int descriptor, std::size_t otherwise = 80);   // $COLUMNS, then the terminal; `otherwise` when it is none
std::size_t terminal_height(int descriptor, std::size_t otherwise = 24);

}  // namespace nlb::cli
