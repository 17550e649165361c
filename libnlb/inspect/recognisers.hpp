// One recogniser per protocol and direction: what the detector's first-byte table points to.
//
// Each is total, allocates nothing and is monotone by itself: it reads bytes in order and answers at the first one that decides. The
// detector joins several for one first byte; that stays monotone because no two of them can match the same bytes at different lengths
// (signatures exclude each other; the fuzz target tries to prove otherwise).
#pragma once

#include "libnlb/inspect/detector.hpp"
#include "libnlb/inspect/signatures.hpp"

namespace nlb::inspect {

constexpr Verdict match(Protocol protocol, Rule rule, std::size_t decided_at) {
  return {Answer::match, protocol, static_cast<std::uint16_t>(rule), 0, static_cast<std::uint32_t>(decided_at)};
}
constexpr Verdict more(Rule rule, std::size_t need) {
  return {Answer::more, Protocol::unknown, static_cast<std::uint16_t>(rule), static_cast<std::uint32_t>(need), 0};
}
constexpr Verdict no_match(Rule rule, std::size_t decided_at) {
  return {Answer::unknown, Protocol::unknown, static_cast<std::uint16_t>(rule), 0, static_cast<std::uint32_t>(decided_at)};
}

// Precondition of all: not empty. Text recognisers see bytes from the first line that is not empty on.
Verdict http_request(Bytes bytes);
Verdict redis_inline(Bytes bytes);
Verdict redis_array(Bytes bytes);
Verdict tls_client_hello(Bytes bytes);
Verdict postgresql_request(Bytes bytes);
Verdict mongodb_request(Bytes bytes);
Verdict rtmp_client(Bytes bytes);

Verdict http_response(Bytes bytes);
Verdict http2_settings(Bytes bytes);
Verdict tls_answer(Bytes bytes);
Verdict mysql_greeting(Bytes bytes);
Verdict postgresql_answer(Bytes bytes);
Verdict mongodb_reply(Bytes bytes);
Verdict redis_reply(Bytes bytes);
Verdict rtmp_server(Bytes bytes);

}  // namespace nlb::inspect
