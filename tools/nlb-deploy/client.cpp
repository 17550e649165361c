#include "tools/nlb-deploy/client.hpp"

#include <pwd.h>
#include <sys/random.h>
#include <unistd.h>

#include <array>

#include "libnlb/core/bytes.hpp"
#include "libnlb/deploy/engine.hpp"
#include "libnlb/rpc/channel.hpp"
#include "libnlb/rpc/status.hpp"

namespace nlb::deploy {
namespace {

std::string make_uuid() {   // RFC 9562, version 4
  std::array<std::uint8_t, 16> bytes{};
  [[maybe_unused]] const auto got = ::getrandom(bytes.data(), bytes.size(), 0);
  bytes[6] = static_cast<std::uint8_t>((bytes[6] & 0x0f) | 0x40);
  bytes[8] = static_cast<std::uint8_t>((bytes[8] & 0x3f) | 0x80);
  auto text = to_hex(bytes);
  for (const auto at : {8u, 13u, 18u, 23u}) text.insert(at, "-");
  return text;
}

std::string user_name() {
  if (const auto* entry = ::getpwuid(::geteuid())) return entry->pw_name;
  return std::to_string(::geteuid());
}

}  // namespace

void add_client_options(CLI::App& verb, ClientOptions& options) {
  verb.add_option("--config", options.config.file, "the configuration that names deploy.grpc")->option_text("FILE");
  verb.add_option("--server", options.server, "address of the controller, or of its copies, separated by commas (default: deploy.grpc)")->option_text("ADDRESS");
}

void add_command_options(CLI::App& verb, CommandOptions& options) {
  verb.add_option("--expect-rev", options.expect_revision, "only if the service has this revision (compare and set)")->option_text("REV");
  verb.add_option("--request-id", options.request_id, "1 to 100 bytes that no other command has, such as a UUID: the same id again gets the first answer and changes nothing")->option_text("ID");
  verb.add_option("--reason", options.reason, "for the history")->option_text("TEXT");
}

v1::CommandHead head_of(const CommandOptions& options) {
  v1::CommandHead head;
  head.set_request_id(options.request_id.empty() ? make_uuid() : options.request_id);
  if (options.expect_revision) head.set_expect_revision(*options.expect_revision);
  head.set_actor(user_name());
  head.set_reason(options.reason);
  return head;
}

Result<Client> Client::open(const ClientOptions& options) {
  auto file = cli::load_config(options.config, "deploy");
  if (!file) return tl::unexpected(file.error());
  Client made;
  made.config_ = std::move(*file);
  const auto& config = made.config_.config;
  auto addresses = parse_addresses(options.server.empty() ? config.deploy.grpc : options.server);
  if (!addresses) return tl::unexpected(addresses.error());
  auto keys = rpc::ApiKeys::gather(config.security.api_key_file);
  if (!keys) return tl::unexpected(keys.error());
  if (!keys->empty()) made.api_key_ = keys->front();
  for (const auto& address : *addresses) {
    rpc::ClientTls tls;
    tls.on = address.kind != Endpoint::Kind::unix_path && !config.security.tls.certificate.empty();
    tls.ca = config.security.tls.client_ca;
    tls.certificate = config.security.tls.certificate;
    tls.key = config.security.tls.key;
    auto channel = rpc::make_channel(address, tls);
    if (!channel) return tl::unexpected(channel.error());
    made.servers_.push_back({to_string(address), v1::DeployService::NewStub(*channel)});
  }
  return made;
}

void Client::prepare(grpc::ClientContext& context) const {
  if (!api_key_.empty()) context.AddMetadata(std::string(rpc::api_key_metadata), api_key_);
}

Error Client::error_of(const grpc::Status& status) const {
  if (status.error_code() == grpc::UNAVAILABLE && status.error_message().find("connect") != std::string::npos)
    return {ErrorKind::unavailable, "no controller answers at " + servers_[at_].address + ": start `nlb-deploy serve`, or repeat with --foreground, or name it with --server"};
  auto error = rpc::to_error(status, "the controller at " + servers_[at_].address);
  if (status.error_code() == grpc::INVALID_ARGUMENT) error.kind = ErrorKind::usage;
  if (status.error_code() == grpc::NOT_FOUND) error.text = status.error_message();
  return error;
}

std::unique_ptr<grpc::ClientReader<v1::DeployStatus>> Client::watch(grpc::ClientContext& context, const v1::WatchDeployRequest& request) const {
  prepare(context);
  return servers_[at_].stub->Watch(&context, request);
}

}  // namespace nlb::deploy
