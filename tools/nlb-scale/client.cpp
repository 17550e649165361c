#include "tools/nlb-scale/client.hpp"

#include <pwd.h>
#include <unistd.h>

#include <cstdio>
#include <random>

#include "libnlb/cli/config_file.hpp"
#include "libnlb/rpc/status.hpp"

namespace nlb::tool {
namespace {

std::string uuid() {   // version 4 (RFC 9562)
  std::random_device source;
  const auto word = [&] { return static_cast<unsigned>(source()); };
  char text[40];
  std::snprintf(text, sizeof text, "%08x-%04x-4%03x-%04x-%04x%08x", word(), word() & 0xffff, word() & 0xfff, (word() & 0x3fff) | 0x8000, word() & 0xffff, word());
  return text;
}

}  // namespace

Result<Client> Client::connect(const std::string& address, const std::string& config_file) {
  Client client;
  client.address_ = address;
  if (address.empty()) {
    cli::ConfigOptions options;
    options.file = config_file;
    auto file = cli::load_config(options, "scale");
    if (!file) return tl::unexpected(file.error());
    client.address_ = file->config.scale.grpc;
  }
  client.stub_ = v1::ScaleService::NewStub(grpc::CreateChannel(client.address_, grpc::InsecureChannelCredentials()));
  return client;
}

Error Client::error_of(const grpc::Status& status) const {
  const auto kind = rpc::to_error(status, {}).kind;
  if (kind == ErrorKind::unavailable) return {kind, "nobody answers at " + address_ + ": " + status.error_message() + ": start nlb-scale serve, or name its address with --address"};
  if (kind == ErrorKind::timeout) return {kind, address_ + " has not answered in time: is it stopped?"};
  return {kind, status.error_message()};
}

v1::CommandHead new_head(const std::string& reason) {
  v1::CommandHead head;
  head.set_request_id(uuid());
  const auto* user = ::getpwuid(::getuid());
  head.set_actor(user != nullptr ? user->pw_name : std::to_string(::getuid()));
  head.set_reason(reason);
  return head;
}

}  // namespace nlb::tool
