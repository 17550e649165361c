// The command line's end of the controller's API: where it listens, who we are, and what its answers mean for the exit code.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <CLI/CLI.hpp>

#include "libnlb/cli/config_file.hpp"
#include "libnlb/cli/exit_code.hpp"
#include "libnlb/cli/tool.hpp"
#include "nlb/v1/deploy.grpc.pb.h"

namespace nlb::deploy {

struct ClientOptions {
  cli::ConfigOptions config;
  std::string server;                          // empty: deploy.grpc
};
void add_client_options(CLI::App& verb, ClientOptions& options);

struct CommandOptions {                        // of verbs that change something
  std::string request_id, reason;
  std::optional<std::uint64_t> expect_revision;
};
void add_command_options(CLI::App& verb, CommandOptions& options);
v1::CommandHead head_of(const CommandOptions& options);   // a new request id where none was given

class Client {
 public:
  static Result<Client> open(const ClientOptions& options);   // dials nothing yet
  using Stub = v1::DeployService::Stub;
  // One call with a deadline and the API key. An error has the exit code's kind: unavailable (no controller), refused, usage, ...
  template <class Reply, class Request>
  Result<Reply> call(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Reply*), const Request& request) const;
  std::unique_ptr<grpc::ClientReader<v1::DeployStatus>> watch(grpc::ClientContext& context, const v1::WatchDeployRequest& request) const;
  Error error_of(const grpc::Status& status) const;
  const cli::ConfigFile& config() const { return config_; }

 private:
  void prepare(grpc::ClientContext& context) const;
  cli::ConfigFile config_;
  std::string address_, api_key_;
  std::shared_ptr<Stub> stub_;
};

template <class Reply, class Request>
Result<Reply> Client::call(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Reply*), const Request& request) const {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
  prepare(context);
  Reply reply;
  const auto status = ((*stub_).*method)(&context, request, &reply);
  if (!status.ok()) return tl::unexpected(error_of(status));
  return reply;
}

}  // namespace nlb::deploy
