// The gRPC numbers that every connection of ours has, at both ends, and how a client's channel is made. A pair of keepalive settings that
// doesn't fit ends in GOAWAY too_many_pings or in pings that silently stop (doc/keepalive.md of gRPC; proposals A8 and A9), so both ends
// stand side by side here.
#pragma once

#include <memory>
#include <string>

#include <grpcpp/channel.h>
#include <grpcpp/server_builder.h>
#include <grpcpp/support/channel_arguments.h>

#include "libnlb/core/address.hpp"
#include "libnlb/core/time.hpp"
#include "libnlb/rpc/certificates.hpp"

namespace nlb::rpc {

inline constexpr int message_bytes_max = 16 << 20;
inline constexpr int client_keepalive_ms = 10000, client_keepalive_timeout_ms = 3000;
inline constexpr int idle_read_ms = 1000;                          // less than the timeouts of both ends' pings
inline constexpr int connect_timeout_ms = 5000;
inline constexpr int reconnect_max_ms = 30000;                     // gRPC's back-off ends there, give or take a fifth
inline constexpr int registry_reconnect_max_ms = 2000;             // of who has a lease at the other end: it must not outlast the lease
inline constexpr int server_min_ping_ms = 5000;                    // half the clients' interval
inline constexpr int server_keepalive_ms = 30000, server_keepalive_timeout_ms = 5000;
inline constexpr int server_idle_max_ms = 15 * 60 * 1000;
inline constexpr int server_age_max_ms = 30 * 60 * 1000, server_age_grace_ms = 5000;
inline constexpr int streams_per_connection_max = 1000;
static_assert(2 * server_min_ping_ms <= client_keepalive_ms);
static_assert(idle_read_ms < client_keepalive_timeout_ms && idle_read_ms < server_keepalive_timeout_ms);

grpc::ChannelArguments client_arguments();
void set_server_arguments(grpc::ServerBuilder& builder);

// For a process that only calls and blocks. Between two calls nobody reads its connections but gRPC itself, every 5 s by default: the
// answer to a keepalive ping would come too late, and 13 s after a call its own keepalive would take the connection for dead. Call it
// before the first channel, with one thread: it sets gRPC's environment variable, unless the user has.
void read_idle_channels();

std::string target_of(const Endpoint& endpoint);                   // "127.0.0.1:50051", "unix:/run/nlb/registry.sock"

// Dials nothing: the channel connects when the first call wants it. `reconnect_max`: the longest pause between two attempts, in milliseconds.
Result<std::shared_ptr<grpc::Channel>> make_channel(const Endpoint& endpoint, const ClientTls& tls = {}, int reconnect_max = reconnect_max_ms);

}  // namespace nlb::rpc
