// The command line's end of ScaleService: one channel, a deadline for each call, errors as this project has them.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include <grpcpp/grpcpp.h>

#include "libnlb/core/result.hpp"
#include "nlb/v1/scale.grpc.pb.h"

namespace nlb::tool {

class Client {
 public:
  // The address from `address`, else scale.grpc of the configuration.
  static Result<Client> connect(const std::string& address, const std::string& config_file);

  template <class Request, class Reply>
  Result<Reply> ask(grpc::Status (v1::ScaleService::Stub::*call)(grpc::ClientContext*, const Request&, Reply*), const Request& request) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
    Reply reply;
    const auto status = (stub_.get()->*call)(&context, request, &reply);
    if (!status.ok()) return tl::unexpected(error_of(status));
    return reply;
  }
  std::unique_ptr<grpc::ClientReader<v1::ScaleStatus>> watch(grpc::ClientContext& context, const v1::GetScaleStatusRequest& request) { return stub_->Watch(&context, request); }
  Error error_of(const grpc::Status& status) const;

 private:
  std::string address_;
  std::shared_ptr<v1::ScaleService::Stub> stub_;
};

v1::CommandHead new_head(const std::string& reason);   // a fresh UUID, and who asks

}  // namespace nlb::tool
