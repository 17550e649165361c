// Who calls, and whether they may: the API key first, then the name in the caller's certificate. A certificate's subject alternative
// names (DNS, or URI as "nlb:NAME") are the services its holder may speak for; "*" is all of them.
#pragma once

#include <memory>

#include <grpcpp/server_context.h>

#include "libnlb/registry/admission.hpp"
#include "libnlb/rpc/api_keys.hpp"

namespace nlb::rpc {

class Door {   // safe from every thread
 public:
  Door(std::shared_ptr<const ApiKeys> keys, bool certificates) : keys_(std::move(keys)), certificates_(certificates) {}
  // UNAUTHENTICATED says what is missing and how to send it.
  tl::expected<registry::Caller, grpc::Status> admit(const grpc::ServerContextBase& context) const;

 private:
  std::shared_ptr<const ApiKeys> keys_;
  bool certificates_;
};

bool may_speak_for(const registry::Caller& caller, std::string_view service);
std::string address_of_peer(std::string_view peer);      // "ipv4:10.0.0.1:4711" -> "10.0.0.1"; unix sockets -> "local"

}  // namespace nlb::rpc
