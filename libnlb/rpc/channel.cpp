#include "libnlb/rpc/channel.hpp"

#include <cstdlib>

#include <grpcpp/create_channel.h>

namespace nlb::rpc {

grpc::ChannelArguments client_arguments() {
  grpc::ChannelArguments args;
  args.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, client_keepalive_ms);
  args.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, client_keepalive_timeout_ms);
  args.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  args.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  args.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, connect_timeout_ms);      // gRPC's name for the time that a connect may take
  args.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 1000);
  args.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, reconnect_max_ms);
  args.SetMaxReceiveMessageSize(message_bytes_max);
  args.SetMaxSendMessageSize(message_bytes_max);
  return args;
}

void set_server_arguments(grpc::ServerBuilder& builder) {
  builder.SetMaxReceiveMessageSize(message_bytes_max);
  builder.SetMaxSendMessageSize(message_bytes_max);
  const std::pair<const char*, int> arguments[] = {
      {GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, server_min_ping_ms},
      {GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1},
      {GRPC_ARG_KEEPALIVE_TIME_MS, server_keepalive_ms},
      {GRPC_ARG_KEEPALIVE_TIMEOUT_MS, server_keepalive_timeout_ms},
      {GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0},
      {GRPC_ARG_MAX_CONNECTION_IDLE_MS, server_idle_max_ms},
      {GRPC_ARG_MAX_CONNECTION_AGE_MS, server_age_max_ms},
      {GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS, server_age_grace_ms},
      {GRPC_ARG_MAX_CONCURRENT_STREAMS, streams_per_connection_max},
      {GRPC_ARG_ALLOW_REUSEPORT, 0}};                                      // a port that is taken is an error, not shared in silence
  for (const auto& [name, value] : arguments) builder.AddChannelArgument(name, value);
}

void read_idle_channels() { ::setenv("GRPC_CLIENT_CHANNEL_BACKUP_POLL_INTERVAL_MS", std::to_string(idle_read_ms).c_str(), 0); }

std::string target_of(const Endpoint& endpoint) { return to_string(endpoint); }

Result<std::shared_ptr<grpc::Channel>> make_channel(const Endpoint& endpoint, const ClientTls& tls, int reconnect_max) {
  auto credentials = client_credentials(tls);
  if (!credentials) return tl::unexpected(credentials.error());
  auto args = client_arguments();
  args.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, reconnect_max);
  args.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);                      // a channel that goes takes its connection with it
  if (!tls.server_name.empty()) args.SetSslTargetNameOverride(tls.server_name);
  return grpc::CreateCustomChannel(target_of(endpoint), *credentials, args);
}

}  // namespace nlb::rpc
