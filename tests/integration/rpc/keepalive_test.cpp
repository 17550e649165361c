// The keepalive of both ends as every connection of ours has it, at five times its speed: a peer that falls silent is noticed, and no
// client that is merely idle is told to calm down (GOAWAY too_many_pings). e2e/registry_keepalive has it at its own speed.
#include <catch2/catch.hpp>

#include <future>

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>

#include "libnlb/rpc/channel.hpp"
#include "tests/integration/rpc/wire.hpp"

using namespace nlb;
using namespace nlb::rpc;
using nlb::testing::Wire;

namespace {

constexpr int hurry = 5;
constexpr auto client_notices = std::chrono::milliseconds((client_keepalive_ms + client_keepalive_timeout_ms) / hurry);
constexpr auto server_notices = std::chrono::milliseconds((server_keepalive_ms + server_keepalive_timeout_ms) / hurry);
constexpr auto slack = std::chrono::seconds(2);       // on a machine that has other things to do

// The arguments with which a client's channel is made, its times shortened.
grpc::ChannelArguments hurried_client() {
  const std::map<std::string, int> shortened = {{GRPC_ARG_KEEPALIVE_TIME_MS, client_keepalive_ms / hurry},
                                                {GRPC_ARG_KEEPALIVE_TIMEOUT_MS, client_keepalive_timeout_ms / hurry}};
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  const auto normal = client_arguments();
  const auto plain = normal.c_channel_args();
  for (std::size_t i = 0; i < plain.num_args; ++i) {
    const auto& one = plain.args[i];
    if (one.type != GRPC_ARG_INTEGER) continue;
    const auto found = shortened.find(one.key);
    arguments.SetInt(one.key, found == shortened.end() ? one.value.integer : found->second);
  }
  return arguments;
}

struct Pair {      // a server and an idle client, connected by a wire
  Pair() {
    grpc::ServerBuilder builder;
    builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, server_min_ping_ms / hurry);      // the first one counts
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, server_keepalive_ms / hurry);
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, server_keepalive_timeout_ms / hurry);
    set_server_arguments(builder);
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    server = builder.BuildAndStart();
    wire.emplace(static_cast<std::uint16_t>(port));
    channel = grpc::CreateCustomChannel("127.0.0.1:" + std::to_string(wire->port()), grpc::InsecureChannelCredentials(), hurried_client());
    REQUIRE(channel->WaitForConnected(std::chrono::system_clock::now() + std::chrono::seconds(5)));
  }
  // Whether the client's connection was given up within this time.
  bool client_gives_up(std::chrono::milliseconds bound) { return channel->WaitForStateChange(GRPC_CHANNEL_READY, std::chrono::system_clock::now() + bound); }
  bool server_gives_up(std::chrono::milliseconds bound) {
    for (const auto end = std::chrono::steady_clock::now() + bound; std::chrono::steady_clock::now() < end;) {
      if (wire->server_closed) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
  }

  std::unique_ptr<grpc::Server> server;
  std::optional<Wire> wire;
  std::shared_ptr<grpc::Channel> channel;
};

}  // namespace

TEST_CASE("an idle client pings as often as it is meant to, and the server bears it") {
  Pair pair;
  constexpr int pings = 6;                            // a server at gRPC's defaults has enough of it at the fourth
  CHECK_FALSE(pair.client_gives_up(std::chrono::milliseconds(client_keepalive_ms / hurry * pings) + slack / 2));
  CHECK(pair.wire->from_client.pings >= pings - 1);   // the server's own pings put a client's off
  CHECK(pair.wire->from_client.pings <= pings + 1);
  CHECK(pair.wire->from_server.goaways == 0);
}

TEST_CASE("a peer that falls silent is noticed by either end within its keepalive time") {
  Pair pair;
  CHECK_FALSE(pair.client_gives_up(std::chrono::milliseconds(client_keepalive_ms / hurry) + slack / 4));      // not while it answers
  pair.wire->silent = true;
  auto server = std::async(std::launch::async, [&] { return pair.server_gives_up(server_notices + slack); });
  CHECK(pair.client_gives_up(client_notices + slack));
  CHECK(server.get());
}
