// PostgreSQL: what a client may send first (src/backend/tcop/backend_startup.c, ProcessStartupPacket) and what a server answers.
//
// Kafka's length and version fields look like a StartupMessage's ("00 00 00 28 00 03 00 02"): its correlation id and lengths that follow
// hold zero or control bytes where a parameter's name and value have none.
#include <algorithm>

#include "libnlb/inspect/recognisers.hpp"
#include "libnlb/inspect/text.hpp"

namespace nlb::inspect {

namespace {

constexpr std::uint32_t startup_bytes_max = 10000;   // MAX_STARTUP_PACKET_LENGTH
constexpr std::uint32_t startup_bytes_min = 12;      // length, version, a name of one letter, three zeros
constexpr std::uint32_t cancel_bytes_min = 16, cancel_bytes_max = 268;   // keys of 4 to 256 bytes since protocol 3.2
constexpr std::uint16_t request_high = 1234;         // 80877102 to 80877104 are 1234 << 16 | 5678 to 5680
constexpr std::size_t parameters_at = 8;

Verdict recognise_request(std::uint32_t length, std::uint16_t low) {
  switch (low) {
    case 5679:
      if (length == 8) return match(Protocol::postgresql, Rule::postgresql_ssl_request, 8);
      break;
    case 5680:
      if (length == 8) return match(Protocol::postgresql, Rule::postgresql_gssenc_request, 8);
      break;
    case 5678:
      if (length >= cancel_bytes_min && length <= cancel_bytes_max)
        return match(Protocol::postgresql, Rule::postgresql_cancel_request, 8);
      break;
    default: break;
  }
  return no_match(Rule::postgresql_ssl_request, 8);
}

bool name_char(std::uint8_t c) { return is(alpha_char | digit_char, c) || c == '_' || c == '.' || c == '-'; }
bool value_char(std::uint8_t c) { return c >= 0x20 && c != 0x7f; }

// One name and one value, both ended by a zero, inside `length`.
Verdict recognise_parameter(Bytes b, std::uint32_t length) {
  constexpr Rule rule = Rule::postgresql_startup;
  const std::size_t end = std::min<std::size_t>(b.size(), length);
  std::size_t i = parameters_at;
  for (; i < end && name_char(b[i]); ++i) {}
  if (i < end && (b[i] != 0 || i == parameters_at || is(digit_char, b[parameters_at]))) return no_match(rule, i + 1);
  if (i < end)
    for (++i; i < end && value_char(b[i]); ++i) {}
  if (i == length) return no_match(rule, i);
  if (i == b.size()) return more(rule, i + 1);
  return b[i] == 0 ? match(Protocol::postgresql, rule, i + 1) : no_match(rule, i + 1);
}

}  // namespace

Verdict postgresql_request(Bytes b) {
  constexpr Rule rule = Rule::postgresql_startup;
  for (std::size_t i = 0; i < 2; ++i) {
    if (i == b.size()) return more(rule, i + 1);
    if (b[i] != 0) return no_match(rule, i + 1);
  }
  if (b.size() < 4) return more(rule, b.size() + 1);
  const std::uint32_t length = load_be32(b, 0);
  if (length < 8 || length > startup_bytes_max) return no_match(rule, 4);
  if (b.size() < 6) return more(rule, b.size() + 1);
  const std::uint16_t high = load_be16(b, 4);
  if (high != 3 && high != request_high) return no_match(rule, 6);
  if (high == 3 && length < startup_bytes_min) return no_match(rule, 6);
  if (b.size() < 8) return more(rule, high == 3 ? 9 : 8);
  if (high == request_high) return recognise_request(length, load_be16(b, 6));
  return recognise_parameter(b, length);
}

Verdict postgresql_answer(Bytes b) {
  const bool error = b[0] == 'E';
  const Rule rule = error ? Rule::postgresql_error : Rule::postgresql_authentication;
  for (std::size_t i = 1; i < 3; ++i) {
    if (i == b.size()) return more(rule, i + 1);
    if (b[i] != 0) return no_match(rule, i + 1);
  }
  if (b.size() < 5) return more(rule, 5);
  const std::uint32_t length = load_be32(b, 1);
  if (length < 8) return no_match(rule, 5);
  if (error) {   // severity first: S, then ERROR, FATAL or PANIC, translated by old servers
    if (b.size() < 7) return more(rule, 7);
    return b[5] == 'S' && (b[6] >= 0x80 || is(alpha_char, b[6])) ? match(Protocol::postgresql, rule, 7) : no_match(rule, 7);
  }
  if (b.size() < 9) return more(rule, 9);
  return load_be32(b, 5) <= 12 ? match(Protocol::postgresql, rule, 9) : no_match(rule, 9);
}

}  // namespace nlb::inspect
