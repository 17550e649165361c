#include "libnlb/cli/text.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <cstdlib>

namespace nlb::cli {
namespace {

struct Glyph { char32_t point; std::size_t bytes; };

// Takes one character off the front; a damaged byte is U+FFFD of one byte. RFC 3629.
Glyph next_glyph(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text.front());
  const std::size_t length = lead < 0x80 ? 1 : lead >= 0xc2 && lead < 0xe0 ? 2 : lead >= 0xe0 && lead < 0xf0 ? 3 : lead >= 0xf0 && lead < 0xf5 ? 4 : 0;
  if (length == 1) return {lead, 1};
  if (length == 0 || text.size() < length) return {0xfffd, 1};
  auto point = static_cast<char32_t>(lead & (0xff >> (length + 1)));
  for (std::size_t i = 1; i < length; ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if ((byte & 0xc0) != 0x80) return {0xfffd, 1};
    point = point << 6 | (byte & 0x3f);
  }
  return {point, length};
}

struct Range { char32_t first, last; };
// Unicode 15: the ranges that matter on a terminal, not the whole of EastAsianWidth.txt.
constexpr std::array<Range, 11> wide = {{{0x1100, 0x115f}, {0x2e80, 0x303e}, {0x3041, 0x33ff}, {0x3400, 0x4dbf}, {0x4e00, 0x9fff}, {0xa000, 0xa4cf},
                                         {0xac00, 0xd7a3}, {0xf900, 0xfaff}, {0xfe30, 0xfe6f}, {0xff00, 0xff60}, {0x1f300, 0x1faff}}};
constexpr std::array<Range, 7> zero = {{{0x0, 0x1f}, {0x7f, 0x9f}, {0x300, 0x36f}, {0x200b, 0x200f}, {0x20d0, 0x20ff}, {0xfe00, 0xfe0f}, {0xfeff, 0xfeff}}};

template <std::size_t N>
bool within(const std::array<Range, N>& ranges, char32_t point) {
  return std::any_of(ranges.begin(), ranges.end(), [point](const Range& range) { return point >= range.first && point <= range.last; });
}

std::size_t columns_of(char32_t point) {
  if (point >= 0x20 && point < 0x7f) return 1;
  if (within(zero, point)) return 0;
  return within(wide, point) ? 2 : 1;
}

std::size_t escape_length(std::string_view text) {   // of an ANSI sequence at the front (ECMA-48 CSI); 0 when there is none
  if (!text.starts_with("\x1b[")) return 0;
  std::size_t at = 2;
  while (at < text.size() && (text[at] < 0x40 || text[at] > 0x7e)) ++at;
  return std::min(at + 1, text.size());
}

winsize window(int descriptor) {
  winsize size{};
  if (ioctl(descriptor, TIOCGWINSZ, &size) != 0) size = {};
  return size;
}

std::size_t from_environment(const char* name) {
  const std::string_view text = std::getenv(name) ? std::getenv(name) : "";
  std::size_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

}  // namespace

std::size_t display_width(std::string_view utf8) {
  std::size_t width = 0;
  while (!utf8.empty()) {
    if (const auto length = escape_length(utf8)) {
      utf8.remove_prefix(length);
      continue;
    }
    const auto glyph = next_glyph(utf8);
    width += columns_of(glyph.point);
    utf8.remove_prefix(glyph.bytes);
  }
  return width;
}

std::string cut_to_width(std::string_view utf8, std::size_t columns) {
  if (display_width(utf8) <= columns) return std::string(utf8);
  if (columns == 0) return {};
  std::string out;
  std::size_t width = 0;
  bool styled = false;
  while (!utf8.empty()) {
    const auto escape = escape_length(utf8);
    const auto glyph = escape ? Glyph{0, escape} : next_glyph(utf8);
    const auto more = escape ? 0 : columns_of(glyph.point);
    if (width + more > columns - 1) break;
    styled = styled || escape > 0;
    width += more;
    out += utf8.substr(0, glyph.bytes);
    utf8.remove_prefix(glyph.bytes);
  }
  return out + "…" + (styled ? "\x1b[0m" : "");
}

std::string printable(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const auto glyph = next_glyph(text);
    const bool damaged = glyph.point == 0xfffd && glyph.bytes == 1;
    if (glyph.point < 0x20 || (glyph.point >= 0x7f && glyph.point < 0xa0) || damaged) {
      char escape[8];
      for (const char c : text.substr(0, glyph.bytes)) {
        std::snprintf(escape, sizeof escape, "\\x%02x", static_cast<unsigned char>(c));
        out += escape;
      }
    } else {
      out += text.substr(0, glyph.bytes);
    }
    text.remove_prefix(glyph.bytes);
  }
  return out;
}

std::string tinted(std::string_view text, Tint tint, bool color) {
  static constexpr std::array<const char*, 9> codes = {"", "31", "32", "33", "34", "35", "36", "2", "1"};
  if (!color || tint == Tint::none) return std::string(text);
  return std::string("\x1b[") + codes[static_cast<std::size_t>(tint)] + "m" + std::string(text) + "\x1b[0m";
}

std::size_t terminal_width(int descriptor, std::size_t otherwise) {
  if (!isatty(descriptor)) return otherwise;
  if (const auto columns = from_environment("COLUMNS")) return columns;
  const auto columns = window(descriptor).ws_col;
  return columns ? columns : otherwise;
}

std::size_t terminal_height(int descriptor, std::size_t otherwise) {
  if (!isatty(descriptor)) return otherwise;
  if (const auto lines = from_environment("LINES")) return lines;
  const auto rows = window(descriptor).ws_row;
  return rows ? rows : otherwise;
}

}  // namespace nlb::cli
