// What a server's first bytes say about how it feels: for judging a new version, and for checking a MySQL greeting before it is passed on.
#pragma once

#include "libnlb/core/bytes.hpp"
#include "libnlb/core/protocol.hpp"

namespace nlb::inspect {

// MySQL's first packet: length (3), sequence 0, then 0x0a (protocol 10) or 0xff (an error such as "Too many connections").
// `other`: not a MySQL server, or one from before 1998. Five bytes decide.
enum class GreetingCheck : std::uint8_t { more, greeting, error, other };
GreetingCheck check_greeting(Bytes server_bytes);

enum class FirstAnswer : std::uint8_t {
  ok,
  error,       // the server's fault as far as one answer tells
  undecided,   // too few bytes yet, or a protocol or form that says nothing
};

// `server_bytes`: the start of the server's first answer, cut anywhere. More bytes never turn ok into error or back.
//
// http        error: status 5xx (RFC 9110 section 15.6). HTTP/2: GOAWAY with an error code before anything else.
// tls         error: a fatal alert (RFC 8446 section 6); ok: a ServerHello.
// mysql       error: an ERR packet; ok: a greeting.
// postgresql  error: ErrorResponse 'E' with a SQLSTATE that is the server's fault, see below; ok: 'R', 'S', 'N', 'G', 'v'.
// redis       error: any '-' reply but NOAUTH, WRONGPASS, NOPERM, NOPROTO, WRONGTYPE, NOSCRIPT, MOVED, ASK, CROSSSLOT, EXECABORT and BUSYGROUP:
//             those are what the client asked for or its cluster's redirections. Plain -ERR counts (a version that lost a command answers so),
//             LOADING, MISCONF, READONLY, MASTERDOWN, CLUSTERDOWN, OOM and BUSY too.
// mongodb     error: ok: 0 in the first document of an OP_MSG or OP_REPLY, or an OP_REPLY's QueryFailure; ok: ok: 1.
// rtmp        ok: S0 3 or 6; error: anything else.
//
// PostgreSQL's classes 28 (authorisation), 3D (no such database) and 22 to 2F but 2F itself are left to the client; without a readable code
// an ErrorResponse is an error. A greeting is an answer, so a MySQL server that greets is ok.
FirstAnswer judge_first_answer(Protocol protocol, Bytes server_bytes);

}  // namespace nlb::inspect
