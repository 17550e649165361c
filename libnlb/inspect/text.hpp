// Character classes and words that the text recognisers share.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace nlb::inspect {

enum : std::uint8_t { token_char = 1, visible_char = 2, digit_char = 4, alpha_char = 8 };

// RFC 9110 section 5.6.2 for tokens. Visible takes in bytes from 0x80 on: browsers send raw UTF-8 in targets, Redis in arguments.
inline constexpr auto char_class = [] {
  std::array<std::uint8_t, 256> table{};
  for (std::size_t c = 0x21; c < 256; ++c)
    if (c != 0x7f) table[c] = visible_char;
  for (std::size_t c = '0'; c <= '9'; ++c) table[c] |= token_char | digit_char;
  for (std::size_t c = 'a'; c <= 'z'; ++c) table[c] |= token_char | alpha_char;
  for (std::size_t c = 'A'; c <= 'Z'; ++c) table[c] |= token_char | alpha_char;
  for (char c : std::string_view("!#$%&'*+-.^_`|~")) table[static_cast<std::uint8_t>(c)] |= token_char;
  return table;
}();

constexpr bool is(std::uint8_t classes, std::uint8_t c) { return (char_class[c] & classes) != 0; }
constexpr bool is(std::uint8_t classes, char c) { return is(classes, static_cast<std::uint8_t>(c)); }
constexpr char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

constexpr bool same_text(std::string_view a, std::string_view lower_b) {
  if (a.size() != lower_b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i)
    if (lower(a[i]) != lower_b[i]) return false;
  return true;
}

// NAME/digit.digit as HTTP, SIP, RTSP, ICAP and their kin end a request line.
constexpr bool is_version_word(std::string_view word) {
  const auto slash = word.find('/');
  return slash != std::string_view::npos && slash > 0 && word.size() >= slash + 4 && is(alpha_char, word[0]) &&
         is(digit_char, word[slash + 1]) && word[slash + 2] == '.' && is(digit_char, word[slash + 3]);
}

}  // namespace nlb::inspect
