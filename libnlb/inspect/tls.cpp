// TLS records and what opens a handshake. A hello may be cut over several records (RFC 8446 section 5.1), down to one byte each; its
// first six bytes are gathered from as many records as they take. A client_version above 3.3 is legal (RFC 5246 appendix E.1).
#include "libnlb/inspect/recognisers.hpp"

namespace nlb::inspect {

namespace {

constexpr std::uint8_t alert_record = 21, handshake_record = 22, client_hello = 1, server_hello = 2;
constexpr std::size_t record_bytes_max = 16384;
// version 2, random 32, session id 1, suites 2 + 2, compression 1 + 1; a ServerHello has one suite and one method without lengths
constexpr std::uint32_t client_hello_bytes_min = 41, server_hello_bytes_min = 38;

struct Hello {
  std::uint8_t type;
  std::uint32_t bytes_min;
  Rule rule;
};

// Is byte `at` of a record header (0 to 4) possible? `length_high` is byte 3, for the length's sake.
bool header_byte_fits(std::size_t at, std::uint8_t c, std::uint8_t length_high) {
  switch (at) {
    case 0: return c == handshake_record;
    case 1: return c == 3;
    case 2: return c <= 4;
    case 3: return c <= record_bytes_max >> 8;
    default: return (length_high << 8 | c) <= static_cast<int>(record_bytes_max) && (length_high | c) != 0;
  }
}

Verdict recognise_hello(Bytes b, const Hello& want) {
  std::size_t header = 0, left = 0, first_record = 0, gathered = 0;
  std::uint32_t length = 0;
  for (std::size_t i = 0; i < b.size(); ++i) {
    const std::uint8_t c = b[i];
    if (left == 0) {
      if (!header_byte_fits(header, c, i > 0 ? b[i - 1] : 0)) return no_match(want.rule, i + 1);
      if (++header < 5) continue;
      left = load_be16(b, i - 1);
      if (first_record == 0) first_record = left;
      header = 0;
      continue;
    }
    --left;
    if (gathered == 0 && c != want.type) return no_match(want.rule, i + 1);
    if (gathered >= 1 && gathered <= 3) length = length << 8 | c;
    if (gathered == 3 && (length < want.bytes_min || length + 4 < first_record)) return no_match(want.rule, i + 1);
    if (gathered == 4 && c < 3) return no_match(want.rule, i + 1);
    if (++gathered == 6) return match(Protocol::tls, want.rule, i + 1);
  }
  return more(want.rule, b.size() + 1);
}

Verdict recognise_alert(Bytes b) {
  constexpr auto fits = [](std::size_t at, std::uint8_t c) {
    switch (at) {
      case 0: return c == alert_record;
      case 1: return c == 3;
      case 2: return c <= 4;
      case 3: return c == 0;
      case 4: return c == 2;
      default: return c == 1 || c == 2;   // warning, fatal
    }
  };
  for (std::size_t i = 0; i < 6; ++i) {
    if (i == b.size()) return more(Rule::tls_alert, i + 1);
    if (!fits(i, b[i])) return no_match(Rule::tls_alert, i + 1);
  }
  return match(Protocol::tls, Rule::tls_alert, 6);
}

}  // namespace

Verdict tls_client_hello(Bytes bytes) {
  return recognise_hello(bytes, {client_hello, client_hello_bytes_min, Rule::tls_client_hello});
}

Verdict tls_answer(Bytes bytes) {
  if (bytes[0] == alert_record) return recognise_alert(bytes);
  // A server may put its whole flight into one record, so the ServerHello ends inside it: no minimum from the record's length.
  constexpr Rule rule = Rule::tls_server_hello;
  for (std::size_t i = 0; i < 11; ++i) {
    if (i == bytes.size()) return more(rule, i + 1);
    const std::uint8_t c = bytes[i];
    if (i < 5 && !header_byte_fits(i, c, i > 0 ? bytes[i - 1] : 0)) return no_match(rule, i + 1);
    if (i == 5 && c != server_hello) return no_match(rule, i + 1);
    if (i == 8 && load_be24(bytes, 6) < server_hello_bytes_min) return no_match(rule, i + 1);
    if (i == 9 && c != 3) return no_match(rule, i + 1);
  }
  return match(Protocol::tls, rule, 11);
}

}  // namespace nlb::inspect
