// One gRPC server with what all of ours have: the keepalive and size numbers of channel.hpp, grpc.health.v1.Health for the server and
// per service, reflection, TLS that reloads. Plain TCP is for loopback; anywhere else it must be asked for (`insecure`).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <grpcpp/server.h>

#include "libnlb/core/address.hpp"
#include "libnlb/core/time.hpp"
#include "libnlb/rpc/certificates.hpp"

namespace nlb::rpc {

inline constexpr std::size_t server_memory_bytes_max = std::size_t{512} << 20;   // of messages that are being read

struct ServerOptions {
  Endpoint address;
  std::shared_ptr<Certificates> certificates;       // null: no TLS
  bool insecure = false;
};

class Server {
 public:
  // unavailable: the port is taken; refused: plain TCP on other than loopback. `services` outlive the server.
  static Result<std::unique_ptr<Server>> start(const ServerOptions& options, const std::vector<grpc::Service*>& services);
  ~Server();
  const Endpoint& address() const { return address_; }       // the real one; port 0 is replaced
  bool plain_to_strangers() const { return plain_; }         // no TLS, reachable from other machines
  void set_serving(bool serving);                            // what health checks hear; NOT_SERVING before the first call
  void set_serving(const std::string& service, bool serving);
  // Takes no new calls, cuts what is open at the deadline. Blocks until every call has been answered.
  void shutdown(Duration patience);

 private:
  Server() = default;
  std::shared_ptr<Certificates> certificates_;
  std::unique_ptr<grpc::Server> server_;
  Endpoint address_;
  bool plain_ = false;
};

}  // namespace nlb::rpc
