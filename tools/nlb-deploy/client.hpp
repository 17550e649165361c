// The command line's end of the controller's API: where it listens, who we are, and what its answers mean for the exit code.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

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
  // The stream of the server that answered last; ask_next() after an error turns to another.
  std::unique_ptr<grpc::ClientReader<v1::DeployStatus>> watch(grpc::ClientContext& context, const v1::WatchDeployRequest& request) const;
  Error error_of(const grpc::Status& status) const;
  void ask_next() const { at_ = (at_ + 1) % servers_.size(); }
  const cli::ConfigFile& config() const { return config_; }

 private:
  struct Server { std::string address; std::shared_ptr<Stub> stub; };
  void prepare(grpc::ClientContext& context) const;
  cli::ConfigFile config_;
  std::string api_key_;
  std::vector<Server> servers_;                // copies of one controller: of them one leads
  mutable std::size_t at_ = 0;
};

template <class Reply, class Request>
Result<Reply> Client::call(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Reply*), const Request& request) const {
  std::optional<Error> first;
  for (std::size_t tried = 0; tried < servers_.size(); ++tried) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
    prepare(context);
    Reply reply;
    const auto status = ((*servers_[at_].stub).*method)(&context, request, &reply);
    if (status.ok()) return reply;
    if (!first) first = error_of(status);
    if (status.error_code() != grpc::UNAVAILABLE) return tl::unexpected(error_of(status));
    ask_next();   // it is away, or follows another
  }
  return tl::unexpected(*first);
}

}  // namespace nlb::deploy
