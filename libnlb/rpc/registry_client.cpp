#include "libnlb/rpc/registry_client.hpp"

#include "libnlb/rpc/api_keys.hpp"
#include "libnlb/rpc/status.hpp"

namespace nlb::rpc {

Result<std::unique_ptr<RegistryClient>> RegistryClient::make(ClientOptions options) {
  read_idle_channels();
  std::unique_ptr<RegistryClient> client(new RegistryClient(std::move(options)));
  for (const auto& registry : client->options_.registries) {
    auto channel = make_channel(registry, client->options_.tls, registry_reconnect_max_ms);
    if (!channel) return tl::unexpected(channel.error());
    client->peers_.push_back({to_string(registry), v1::NLBService::NewStub(*channel)});
  }
  if (client->peers_.empty()) return fail(ErrorKind::usage, "no registry is named: give --registry ADDRESS");
  return client;
}

void RegistryClient::prepare(grpc::ClientContext& context) const {
  if (!options_.api_key.empty()) context.AddMetadata(std::string(api_key_metadata), options_.api_key);
}

// A handshake that fails has no status of its own: the connection closes, as if nobody were there.
Error RegistryClient::nobody(const std::string& last) const {
  const std::string_view certificates = !options_.tls.on                   ? "; if it speaks TLS, say so with --tls-ca"
                                        : options_.tls.certificate.empty() ? "; if it is there, it may want a certificate (--tls-certificate), or have one that --tls-ca doesn't vouch for"
                                                                           : "; if it is there, the certificates may be wrong: ours, its authority (--tls-ca), or the name in its own (--tls-name)";
  return {ErrorKind::unavailable, last + ": start nlb-registry serve, or name another with --registry" + std::string(certificates)};
}

template <class Request, class Reply>
Result<Reply> RegistryClient::call(std::string_view what, Call<Request, Reply> method, const Request& request) {
  Error last;
  for (std::size_t tried = 0; tried < peers_.size(); ++tried) {
    const auto& peer = peers_[current_];
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::duration_cast<std::chrono::system_clock::duration>(options_.timeout));
    prepare(context);
    Reply reply;
    const auto status = (peer.stub.get()->*method)(&context, request, &reply);
    if (status.ok()) return reply;
    last = to_error(status, std::string(what) + " at " + peer.name);
    if (last.kind != ErrorKind::unavailable && last.kind != ErrorKind::timeout) return tl::unexpected(last);
    current_ = (current_ + 1) % peers_.size();
  }
  return tl::unexpected(last.kind == ErrorKind::unavailable ? nobody(last.text) : last);
}

using Stub = v1::NLBService::Stub;

Result<v1::RegisterModuleReply> RegistryClient::register_module(const v1::Module& module, bool readmit) {
  v1::RegisterModuleRequest request;
  *request.mutable_module() = module;
  request.set_readmit(readmit);
  return call<v1::RegisterModuleRequest, v1::RegisterModuleReply>("register " + module.name(), &Stub::RegisterModule, request);
}
Result<v1::HeartbeatReply> RegistryClient::heartbeat(const v1::HeartbeatRequest& request) {
  return call<v1::HeartbeatRequest, v1::HeartbeatReply>("heartbeat of " + request.module_id(), &Stub::Heartbeat, request);
}
Result<v1::UpdateHealthReply> RegistryClient::update_health(const v1::UpdateHealthRequest& request) {
  return call<v1::UpdateHealthRequest, v1::UpdateHealthReply>("health of " + request.module_id(), &Stub::UpdateHealth, request);
}
Result<v1::UnregisterModuleReply> RegistryClient::unregister_module(const v1::UnregisterModuleRequest& request) {
  return call<v1::UnregisterModuleRequest, v1::UnregisterModuleReply>("unregister " + request.module_id(), &Stub::UnregisterModule, request);
}
Result<v1::DrainModuleReply> RegistryClient::drain_module(const v1::DrainModuleRequest& request) {
  return call<v1::DrainModuleRequest, v1::DrainModuleReply>("drain " + request.module_id(), &Stub::DrainModule, request);
}
Result<v1::ListModulesReply> RegistryClient::list_modules(const v1::ListModulesRequest& request) {
  return call<v1::ListModulesRequest, v1::ListModulesReply>("list modules", &Stub::ListModules, request);
}
Result<v1::GetStatsReply> RegistryClient::get_stats(const v1::GetStatsRequest& request) {
  return call<v1::GetStatsRequest, v1::GetStatsReply>("get statistics", &Stub::GetStats, request);
}

Result<> RegistryClient::watch_modules(const v1::WatchModulesRequest& request, const std::function<bool(const v1::ModuleChange&)>& on_change) {
  Error last;
  for (std::size_t tried = 0; tried < peers_.size(); ++tried, current_ = (current_ + 1) % peers_.size()) {
    grpc::ClientContext context;
    prepare(context);
    const auto stream = peers_[current_].stub->WatchModules(&context, request);
    v1::ModuleChange change;
    bool heard = false, wanted = true;
    while (wanted && stream->Read(&change)) {
      heard = true;
      wanted = on_change(change);
    }
    if (!wanted) context.TryCancel();
    const auto status = stream->Finish();
    if (!wanted || status.ok()) return {};
    last = to_error(status, "watch modules at " + peers_[current_].name);
    if (heard || last.kind != ErrorKind::unavailable) return tl::unexpected(last);
  }
  return tl::unexpected(nobody(last.text));
}

}  // namespace nlb::rpc
