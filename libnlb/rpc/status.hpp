// Between our errors and gRPC's status codes. The text travels as it is, up to 2 KiB: it says what
// failed, why, and what to do.
#pragma once

#include <grpcpp/support/status.h>

#include "libnlb/core/result.hpp"
#include "libnlb/registry/admission.hpp"

namespace nlb::rpc {

grpc::Status to_status(const registry::Refusal& refusal);
grpc::Status to_status(const Error& error);
Error to_error(const grpc::Status& status, std::string_view what);      // what: "register web/web-1 at 127.0.0.1:50051"
std::string_view code_name(grpc::StatusCode code);                      // "INVALID_ARGUMENT"

}  // namespace nlb::rpc
