// One HTTP request, blocking, with a deadline for all of it: over a Unix socket, TCP or TLS, a connection each. Any status is an answer.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "libnlb/core/address.hpp"
#include "libnlb/core/result.hpp"
#include "libnlb/core/time.hpp"

namespace nlb::daemon {

struct HttpRequest {
  std::string method = "GET", target;   // GET POST PUT PATCH DELETE
  std::string body, content_type = "application/json";
  std::string bearer;                   // a token; empty: none
  std::string accept = "application/json";
  std::uint64_t answer_bytes_max = 16u << 20;
};
struct HttpAnswer {
  unsigned status = 0;
  std::string content_type, body;
  Duration retry_after{};               // of 429 and 503, in seconds form; 0: not said
};

class HttpPeer {
 public:
  static Result<HttpPeer> plain(Endpoint address);
  // TLS 1.2 or later, the name verified against the certificates of `ca_file`. Errors: unavailable: it can't be read; bad_input: no PEM.
  static Result<HttpPeer> tls(Endpoint address, const std::string& ca_file);
  // unavailable: nobody answers; timeout; bad_input: not HTTP, or too long; refused: its certificate isn't trusted.
  // `cancelled` (by another thread) ends the wait within 50 ms, as unavailable.
  Result<HttpAnswer> ask(const HttpRequest& request, MonoTime deadline, const std::atomic<bool>* cancelled = nullptr) const;
  std::string name() const { return to_string(address_); }

 private:
  struct Tls;
  explicit HttpPeer(Endpoint address) : address_(std::move(address)) {}
  Endpoint address_;
  std::shared_ptr<Tls> tls_;
};

// GET, for what takes no more: a daemon's admin address, an exporter's page. Errors as with ask; the answer may have 64 MiB.
Result<HttpAnswer> http_get(const Endpoint& address, std::string_view target, Duration deadline = std::chrono::seconds(5));

std::string url_escaped(std::string_view text);   // RFC 3986 section 2.1: all but unreserved characters

}  // namespace nlb::daemon
