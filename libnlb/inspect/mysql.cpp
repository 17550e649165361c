// MySQL and MariaDB: the server speaks first, either its greeting or an error ("Too many connections") in its place. A client's bytes
// mean nothing without the greeting before them, so there is no rule for them.
#include "libnlb/inspect/first_answer.hpp"
#include "libnlb/inspect/recognisers.hpp"
#include "libnlb/inspect/text.hpp"

namespace nlb::inspect {

namespace {

constexpr std::uint8_t protocol_10 = 0x0a, error_packet = 0xff;
constexpr std::uint32_t greeting_bytes_min = 22, greeting_bytes_max = 1024;   // version string and the fixed fields around it

// An error code of the server (1000 to 4999 in MySQL and MariaDB) and its text, with or without '#' and the SQL state.
Verdict recognise_error(Bytes b) {
  if (b.size() < 7) return more(Rule::mysql_error, 7);
  const std::uint32_t code = b[5] | std::uint32_t{b[6]} << 8;
  if (code < 1000 || code > 4999) return no_match(Rule::mysql_error, 7);
  if (b.size() < 8) return more(Rule::mysql_error, 8);
  return is(visible_char, b[7]) ? match(Protocol::mysql, Rule::mysql_error, 8) : no_match(Rule::mysql_error, 8);
}

Verdict recognise_version(Bytes b) {
  for (std::size_t i = 5; i < 7; ++i) {
    if (b.size() == i) return more(Rule::mysql_greeting, i + 1);
    if (!is(digit_char, b[i]) && !(i == 6 && b[i] == '.')) return no_match(Rule::mysql_greeting, i + 1);
  }
  return match(Protocol::mysql, Rule::mysql_greeting, 7);
}

}  // namespace

Verdict mysql_greeting(Bytes b) {
  if (b.size() < 3) return more(Rule::mysql_greeting, 3);
  const std::uint32_t length = load_le24(b, 0);
  if (length < 9 || length > greeting_bytes_max) return no_match(Rule::mysql_greeting, 3);
  if (b.size() < 4) return more(Rule::mysql_greeting, 4);
  if (b[3] != 0) return no_match(Rule::mysql_greeting, 4);
  if (b.size() < 5) return more(Rule::mysql_greeting, 5);
  if (b[4] == error_packet) return recognise_error(b);
  if (b[4] != protocol_10 || length < greeting_bytes_min) return no_match(Rule::mysql_greeting, 5);
  return recognise_version(b);
}

GreetingCheck check_greeting(Bytes b) {
  if (b.size() > 3 && b[3] != 0) return GreetingCheck::other;
  if (b.size() > 2 && load_le24(b, 0) == 0) return GreetingCheck::other;
  if (b.size() < 5) return GreetingCheck::more;
  if (b[4] == protocol_10) return GreetingCheck::greeting;
  return b[4] == error_packet ? GreetingCheck::error : GreetingCheck::other;
}

}  // namespace nlb::inspect
