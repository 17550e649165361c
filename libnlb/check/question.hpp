// The question that tells a live server of a protocol from a port that merely accepts: what to send, and what its answer means. Pure:
// bytes in, bytes out. Each question is the smallest one that the server's own log and limits don't hold against us.
//
//   http        GET (RFC 9112). With a target of the user's choice 200 to 399 is good; without, any answer below 500 is. A target that
//               is no path (registry/module.hpp) is never sent: bad at once
//   redis       PING: +PONG, or -NOAUTH and -NOPERM (it works, it only doesn't know us); -LOADING and the like are bad
//   postgresql  SSLRequest (section 55.2.10 of its manual): S or N; an E is its error
//   mysql       the greeting (protocol 10). Leaving then would count as an aborted handshake and, after max_connect_errors, lock us
//               out; so a login of a user that isn't there goes through to its refusal
//   mongodb     {hello: 1} as OP_MSG: ok
//   rtmp        C0 and C1: S0 with version 3
//   tls         a ClientHello: any handshake or alert record
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "libnlb/registry/module.hpp"

namespace nlb::check {

inline constexpr std::size_t answer_bytes_max = 16384;

enum class Verdict : std::uint8_t { more, good, bad };
struct Step {
  Verdict verdict = Verdict::more;
  std::string send{};            // next bytes; with `good`: a last word before closing
  std::string error{};           // of `bad`
};

class Question {
 public:
  Question(Protocol protocol, registry::CheckKind kind, std::string target, std::string host);
  Step begin() const;                         // good at once: the connect was the question
  Step answer(std::string_view bytes);        // all bytes of the answer so far; total over any bytes
  Step closed(std::string_view bytes) const;  // the server closed after these

 private:
  Step http(std::string_view bytes) const;
  Step mysql(std::string_view bytes);

  Protocol protocol_;
  bool connect_only_;
  std::string target_, host_;
  std::size_t used_ = 0;                      // bytes of earlier packets (mysql)
  int packets_ = 0;
};

}  // namespace nlb::check
