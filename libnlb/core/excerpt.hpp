// What an error quotes of a text that somebody else wrote: enough to know it again, no more than a line has room for (a gRPC status
// travels in a header, which has a limit), and nothing that a terminal or a log would act on.
#pragma once

#include <string>
#include <string_view>

namespace nlb {

inline constexpr std::size_t excerpt_bytes_max = 120;

// The text's beginning, cut between two characters of UTF-8 and ended by "..." where it is longer; control characters as '.'.
inline std::string excerpt(std::string_view text, std::size_t bytes_max = excerpt_bytes_max) {
  const bool whole = text.size() <= bytes_max;
  auto end = whole ? text.size() : bytes_max;
  while (!whole && end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  std::string out(text.substr(0, end));
  for (char& c : out)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '.';
  return whole ? out : out + "...";
}

}  // namespace nlb
