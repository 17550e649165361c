// Says which protocol the first bytes of a connection speak.
//
// detect() is total over any bytes at any split, bounded (detect_bytes_max), allocates nothing, and is monotone: a longer prefix never
// turns one match into another, nor a match into unknown, nor unknown into a match (one exception, for three bytes: see detector.cpp on
// SOCKS). It answers at the first byte that decides.
// Details (SNI, Host, user, ...) are a second question, asked only by whoever needs them: read_details().
#pragma once

#include <cstdint>
#include <string_view>

#include "libnlb/core/bytes.hpp"
#include "libnlb/core/protocol.hpp"

namespace nlb::inspect {

inline constexpr std::size_t detect_bytes_max = 4096;     // past this, "more" becomes "unknown"
inline constexpr std::size_t details_bytes_max = 16384;   // a TLS hello whose SNI is wanted, an HTTP head whose Host is wanted

enum class Answer : std::uint8_t { match, more, unknown };
enum class Speaker : std::uint8_t { client, server };

struct Verdict {
  Answer answer = Answer::unknown;
  Protocol protocol = Protocol::unknown;   // meaningful for match
  std::uint16_t rule = 0;                  // index into rules() (signatures.hpp); for unknown: the rule that came closest, or 0
  std::uint32_t need_bytes = 0;            // more: at least this many bytes in all before the answer can change
  std::uint32_t decided_at_byte = 0;       // match, unknown: how many bytes were enough to decide
};

// `from`: who sent `bytes`. A client's MySQL bytes match only after a greeting; a server's greeting only as a server's first bytes.
Verdict detect(Bytes bytes, Speaker from = Speaker::client);

// The PROXY protocol header (versions 1 and 2, haproxy.org/download/2.9/doc/proxy-protocol.txt section 2) is stepped over with
// proxy_header.hpp before detect() is asked.

// Views into `bytes` (request names of PostgreSQL and MySQL are constants); empty when absent or not (yet) known.
struct Details {
  std::string_view sni;                  // TLS server_name, RFC 6066 section 3
  std::string_view alpn;                 // first ALPN protocol name, RFC 7301
  std::string_view http_method, http_target, http_host;
  std::string_view user, database;       // PostgreSQL startup parameters, MySQL handshake response
  std::string_view application;          // PostgreSQL application_name
  std::string_view command;              // first Redis command, or MongoDB's first key, or PostgreSQL's request name (ssl, gssenc, cancel)
  std::string_view server_version;       // from a MySQL greeting
  bool complete = false;                 // more bytes would add nothing
};

// Precondition: detect(bytes, from) answered match(protocol). Cost: one pass over at most details_bytes_max bytes.
Details read_details(Protocol protocol, Bytes bytes, Speaker from = Speaker::client);

}  // namespace nlb::inspect
