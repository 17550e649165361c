// TLS of a gRPC server whose certificates can change while it runs: read and judged whole, then used from the next handshake on.
// With a client CA every caller must present a certificate of it (mTLS).
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>

#include "libnlb/config/config.hpp"
#include "libnlb/core/result.hpp"

namespace nlb::rpc {

struct Pem { std::string certificate, key, client_ca; };

// Reads the files and holds them against each other: the key must be the certificate's.
Result<Pem> read_pem(const config::Tls& tls);

class Certificates {   // safe from every thread; outlives the servers that use it
 public:
  static Result<std::shared_ptr<Certificates>> load(const config::Tls& tls);
  Result<> reload(const config::Tls& tls);      // an error leaves the old ones in force
  bool mutual() const { return mutual_; }       // fixed for the life of the server
  std::shared_ptr<grpc::ServerCredentials> server_credentials() const;
  std::uint64_t generation() const;
  Pem current() const;

 private:
  Certificates(Pem pem, bool mutual) : pem_(std::move(pem)), mutual_(mutual) {}
  mutable std::mutex mutex_;
  Pem pem_;
  mutable std::vector<std::shared_ptr<void>> fetchers_;      // one per server; the core asks them at every handshake
  std::uint64_t generation_ = 1;
  bool mutual_;
};

struct ClientTls { bool on = false; std::string ca, certificate, key, server_name; };   // files; server_name: of the certificate
Result<std::shared_ptr<grpc::ChannelCredentials>> client_credentials(const ClientTls& tls);

}  // namespace nlb::rpc
