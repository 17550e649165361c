#include "libnlb/rpc/server.hpp"

#include <sys/stat.h>

#include <mutex>

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/server_builder.h>

#include "libnlb/rpc/channel.hpp"

namespace nlb::rpc {

namespace {

bool is_local(const Endpoint& address) {
  return address.kind == Endpoint::Kind::unix_path || (address.kind == Endpoint::Kind::ip && address.ip.is_loopback()) ||
         (address.kind == Endpoint::Kind::name && address.host == "localhost");
}

void enable_plugins() {
  static std::once_flag once;
  std::call_once(once, [] {
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  });
}

}  // namespace

Result<std::unique_ptr<Server>> Server::start(const ServerOptions& options, const std::vector<grpc::Service*>& services) {
  const auto shown = to_string(options.address);
  const bool plain = !options.certificates && !is_local(options.address);
  if (plain && !options.insecure)
    return fail(ErrorKind::refused, "listen on " + shown + ": it is not loopback and there is no TLS: set security.tls.certificate and key, "
                                    "or say --insecure");
  enable_plugins();
  grpc::ServerBuilder builder;
  set_server_arguments(builder);
  grpc::ResourceQuota quota("nlb");
  quota.Resize(server_memory_bytes_max);
  builder.SetResourceQuota(quota);
  int port = 0;
  builder.AddListeningPort(target_of(options.address),
                           options.certificates ? options.certificates->server_credentials() : grpc::InsecureServerCredentials(), &port);
  for (auto* service : services) builder.RegisterService(service);
  std::unique_ptr<Server> out(new Server);
  out->certificates_ = options.certificates;
  out->plain_ = plain;
  out->server_ = builder.BuildAndStart();
  if (!out->server_ || port == 0)
    return fail(ErrorKind::unavailable, "listen on " + shown + ": the address is in use or not ours: stop the other process, or change registry.grpc");
  out->address_ = options.address;
  if (options.address.kind == Endpoint::Kind::unix_path) (void)::chmod(options.address.host.c_str(), 0660);
  else out->address_.port = static_cast<std::uint16_t>(port);
  out->set_serving(false);
  return out;
}

Server::~Server() { shutdown({}); }

void Server::set_serving(bool serving) {
  if (auto* health = server_->GetHealthCheckService()) health->SetServingStatus(serving);
}

void Server::set_serving(const std::string& service, bool serving) {
  if (auto* health = server_->GetHealthCheckService()) health->SetServingStatus(service, serving);
}

void Server::shutdown(Duration patience) {
  if (!server_) return;
  server_->Shutdown(std::chrono::system_clock::now() + std::chrono::duration_cast<std::chrono::system_clock::duration>(patience));
  server_->Wait();
  server_.reset();
}

}  // namespace nlb::rpc
