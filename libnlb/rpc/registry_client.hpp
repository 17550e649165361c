// The registry's API as blocking calls, for command lines: each call is tried at every registry in turn while nobody answers, so of two
// registries on one store the one that leads is found. Errors are ours: unavailable when none answers, timeout, refused, not_found ...
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "libnlb/rpc/channel.hpp"
#include "nlb/v1/registry.grpc.pb.h"

namespace nlb::rpc {

struct ClientOptions {
  std::vector<Endpoint> registries;
  ClientTls tls;
  std::string api_key;                          // empty: none
  Duration timeout = std::chrono::seconds(5);   // of one call at one registry
};

class RegistryClient {   // one thread
 public:
  static Result<std::unique_ptr<RegistryClient>> make(ClientOptions options);

  Result<v1::RegisterModuleReply> register_module(const v1::Module& module, bool readmit = false);      // readmit: an operator's hand
  Result<v1::HeartbeatReply> heartbeat(const v1::HeartbeatRequest& request);
  Result<v1::UpdateHealthReply> update_health(const v1::UpdateHealthRequest& request);
  Result<v1::UnregisterModuleReply> unregister_module(const v1::UnregisterModuleRequest& request);
  Result<v1::DrainModuleReply> drain_module(const v1::DrainModuleRequest& request);
  Result<v1::ListModulesReply> list_modules(const v1::ListModulesRequest& request);
  Result<v1::GetStatsReply> get_stats(const v1::GetStatsRequest& request);
  // Until `on_change` says false or the stream ends.
  Result<> watch_modules(const v1::WatchModulesRequest& request, const std::function<bool(const v1::ModuleChange&)>& on_change);

 private:
  struct Peer { std::string name; std::unique_ptr<v1::NLBService::Stub> stub; };
  explicit RegistryClient(ClientOptions options) : options_(std::move(options)) {}
  template <class Request, class Reply>
  using Call = grpc::Status (v1::NLBService::Stub::*)(grpc::ClientContext*, const Request&, Reply*);
  template <class Request, class Reply>
  Result<Reply> call(std::string_view what, Call<Request, Reply> method, const Request& request);
  void prepare(grpc::ClientContext& context) const;
  Error nobody(const std::string& last) const;

  ClientOptions options_;
  std::vector<Peer> peers_;
  std::size_t current_ = 0;                     // who answered last
};

}  // namespace nlb::rpc
