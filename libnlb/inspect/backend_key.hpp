// Finds the cancellation key in the start of a PostgreSQL server's stream, so that a later CancelRequest can go to the module that issued
// it (PostgreSQL documentation, 55.7 Message Formats: BackendKeyData, CancelRequest; 55.2.8 Canceling Requests in Progress).
// A server's start-up stream is single-byte answers to SSLRequest and GSSENCRequest ('N'), then messages of type, length and body, until
// ReadyForQuery. Once a request is answered with 'S' or 'G' the rest is encrypted and nothing can be learned.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "libnlb/core/bytes.hpp"

namespace nlb::inspect {

// The process id and the first four bytes of the secret: enough to tell sessions apart (protocol 3.2 allows longer secrets).
using BackendKey = std::uint64_t;

class BackendKeyScan {
 public:
  // Feed the server's bytes in order. nullopt until the key has come; over() says whether it still can.
  std::optional<BackendKey> feed(Bytes server_bytes);
  bool over() const { return over_; }
  static constexpr std::uint32_t bytes_max = 65536;   // a start-up that is longer is given up on

 private:
  std::array<std::uint8_t, 13> head_{};   // type, length, and of BackendKeyData the process id and the secret
  std::uint8_t have_ = 0;
  bool over_ = false, messages_begun_ = false;
  std::uint32_t skip_ = 0, seen_ = 0;
};

// The key that a client's CancelRequest names; nullopt when `first_bytes` aren't one.
std::optional<BackendKey> cancel_key(Bytes first_bytes);

}  // namespace nlb::inspect
