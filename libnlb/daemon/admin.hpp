// The admin HTTP server: a few read-only pages (health, metrics, status) on the control loop, away from traffic. HTTP/1.1 with
// keep-alive, GET and HEAD; others get 405, unknown paths 404, too large a request 431, no complete request in time a closed
// connection. Handlers run on the loop's thread and must not block.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "libnlb/core/address.hpp"
#include "libnlb/core/result.hpp"
#include "libnlb/core/time.hpp"
#include "libnlb/daemon/loop.hpp"

namespace nlb::daemon {

struct AdminRequest { std::string path, query; };   // "/status?verbose=1": path "/status", query "verbose=1"; not decoded
struct AdminResponse {
  unsigned status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
};
using AdminHandler = std::function<AdminResponse(const AdminRequest&)>;

inline AdminResponse json_response(std::string body) { return {200, "application/json", std::move(body)}; }
inline AdminResponse metrics_response(std::string body) { return {200, "text/plain; version=0.0.4; charset=utf-8", std::move(body)}; }

struct AdminLimits {
  std::uint32_t connections_max = 64;       // one more is closed at once
  std::uint32_t request_bytes_max = 8192;   // head and body together
  Duration timeout = std::chrono::seconds(10);   // for a whole request, for taking the answer, and idle in between
};

class AdminServer {   // belongs to the loop's thread
 public:
  struct Counters { std::uint64_t requests = 0, refused = 0; };   // refused: connections over connections_max

  explicit AdminServer(ControlLoop& loop, AdminLimits limits = {});
  ~AdminServer();   // closes its listeners; open connections end with the loop
  AdminServer(const AdminServer&) = delete;
  AdminServer& operator=(const AdminServer&) = delete;
  void route(std::string path, AdminHandler handler);   // a second handler for a path replaces the first
  // Binds and listens; returns the real address (port 0 is replaced). unavailable: in use, not ours, or can't be resolved.
  Result<Endpoint> listen(const Endpoint& address);
  Counters counters() const;

  // For a takeover (handover.hpp): the same socket is accepted from by one process after the other.
  int listener() const;                                // -1: none
  void adopt(int descriptor, const Endpoint& address); // takes it; accepts from open() on
  void open();
  void close(bool handed_over);                        // accepts no more; what is open is answered to its end. handed_over: the file stays

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace nlb::daemon
