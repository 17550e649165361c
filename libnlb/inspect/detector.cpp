// The detector: a table from the first byte to the recognisers that may know it, joined so that one match is enough, one "more" keeps the
// question open, and unknown needs all of them. MongoDB is a candidate for every first byte: its messages open with their length.
#include "libnlb/inspect/detector.hpp"

#include <algorithm>
#include <array>

#include "libnlb/inspect/recognisers.hpp"
#include "libnlb/inspect/text.hpp"

namespace nlb::inspect {

namespace {

constexpr std::size_t empty_lines_bytes_max = 16;   // RFC 9112 section 2.2 asks for one, clients send two

enum class Opening : std::uint8_t { none, text, empty_line, array, tls, postgresql, rtmp };

constexpr auto openings = [] {
  std::array<Opening, 256> table{};
  for (std::size_t c = 0; c < 256; ++c)
    if (is(token_char, static_cast<std::uint8_t>(c))) table[c] = Opening::text;
  table['\r'] = table['\n'] = Opening::empty_line;
  table['*'] = Opening::array;
  table[0x16] = Opening::tls;
  table[0x00] = Opening::postgresql;
  table[0x03] = table[0x06] = Opening::rtmp;
  return table;
}();

// Precondition: neither matches at another length than the other on the same bytes (see recognisers.hpp).
Verdict either(const Verdict& a, const Verdict& b) {
  if (a.answer == Answer::match) return a;
  if (b.answer == Answer::match) return b;
  if (a.answer == Answer::more && b.answer == Answer::more) return a.need_bytes <= b.need_bytes ? a : b;
  if (a.answer == Answer::more) return a;
  if (b.answer == Answer::more) return b;
  return a.decided_at_byte >= b.decided_at_byte ? a : b;
}

Verdict text(Bytes b) {
  const Verdict http = http_request(b);
  return http.answer == Answer::match ? http : either(http, redis_inline(b));
}

Verdict after_empty_lines(Bytes b) {
  std::size_t at = 0;
  while (at < b.size() && (b[at] == '\n' || (b[at] == '\r' && (at + 1 == b.size() || b[at + 1] == '\n')))) ++at;
  if (at > empty_lines_bytes_max) return no_match(Rule::http_request, empty_lines_bytes_max + 1);
  if (at == b.size()) return more(Rule::http_request, at + 1);
  if (b[at] == '\r') return no_match(Rule::http_request, at + 2);
  Verdict verdict = text(b.subspan(at));
  if (verdict.need_bytes > 0) verdict.need_bytes += static_cast<std::uint32_t>(at);
  if (verdict.decided_at_byte > 0) verdict.decided_at_byte += static_cast<std::uint32_t>(at);
  return verdict;
}

Verdict by_first_byte(Bytes b) {
  switch (openings[b[0]]) {
    case Opening::none: return no_match(Rule::none, 1);
    case Opening::text: return text(b);
    case Opening::empty_line: return after_empty_lines(b);
    case Opening::array: return either(redis_array(b), http_request(b));   // '*' is a token character
    case Opening::tls: return tls_client_hello(b);
    case Opening::postgresql: return postgresql_request(b);
    case Opening::rtmp: return rtmp_client(b);
  }
  return no_match(Rule::none, 1);
}

// A whole SOCKS5 greeting, no authentication (RFC 1928 section 3): its client waits now. The one place where a longer prefix may still turn
// unknown into a match: the same three bytes open a MongoDB message of 261 bytes, and a fourth byte opens the question again.
bool is_socks_greeting(Bytes b) { return b.size() == 3 && b[0] == 5 && b[1] == 1 && b[2] == 0; }

Verdict client_verdict(Bytes b) {
  if (is_socks_greeting(b)) return no_match(Rule::mongodb_message, 3);
  const Verdict first = by_first_byte(b);
  if (first.answer == Answer::match) return first;
  Verdict verdict = either(first, mongodb_request(b));
  if (b[0] == 5 && b.size() < 3 && verdict.answer == Answer::more) verdict.need_bytes = 3;
  return verdict;
}

Verdict server_by_first_byte(Bytes b) {
  switch (b[0]) {
    case 'H': return http_response(b);
    case 'R': case 'E': return postgresql_answer(b);
    case 0x15: case 0x16: return tls_answer(b);
    case 0x00: return http2_settings(b);
    case 0x03: case 0x06: return rtmp_server(b);
    case '+': case '-': case '$': case ':': case '*': case '%': case '~': return redis_reply(b);
    default: return no_match(Rule::none, 1);
  }
}

Verdict server_verdict(Bytes b) {
  const Verdict first = server_by_first_byte(b);
  if (first.answer == Answer::match) return first;
  return either(either(first, mysql_greeting(b)), mongodb_reply(b));
}

}  // namespace

Verdict detect(Bytes bytes, Speaker from) {
  if (bytes.empty()) return more(Rule::none, 1);
  const Bytes seen = bytes.first(std::min(bytes.size(), detect_bytes_max));
  Verdict verdict = from == Speaker::client ? client_verdict(seen) : server_verdict(seen);
  if (verdict.answer == Answer::more && (seen.size() == detect_bytes_max || verdict.need_bytes > detect_bytes_max))
    verdict = no_match(static_cast<Rule>(verdict.rule), seen.size());
  return verdict;
}

}  // namespace nlb::inspect
