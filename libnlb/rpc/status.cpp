#include "libnlb/rpc/status.hpp"

#include <array>

#include "libnlb/core/excerpt.hpp"

namespace nlb::rpc {

namespace {

constexpr std::array<std::string_view, 17> names = {
    "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS",
    "UNAUTHENTICATED"};

// A status travels in a header, each byte beyond ASCII as three, and gRPC's peers take headers of 8 KiB: a longer one would reach them
// as a RESOURCE_EXHAUSTED of their own library's.
constexpr std::size_t text_bytes_max = 2048;

std::string bounded(const std::string& text) { return text.size() > text_bytes_max ? excerpt(text, text_bytes_max) : text; }

constexpr grpc::StatusCode code_of(registry::RefusalKind kind) {
  using enum registry::RefusalKind;
  switch (kind) {
    case bad_field: return grpc::INVALID_ARGUMENT;
    case address_not_allowed:
    case service_not_allowed: return grpc::PERMISSION_DENIED;
    case protocol_full:
    case caller_full:
    case registry_full: return grpc::RESOURCE_EXHAUSTED;
    case older_incarnation:
    case wrong_lease:
    case dismissed: return grpc::ABORTED;
    case unknown_module: return grpc::NOT_FOUND;
  }
  return grpc::INTERNAL;
}

constexpr grpc::StatusCode code_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::usage:
    case ErrorKind::config:
    case ErrorKind::bad_input: return grpc::INVALID_ARGUMENT;
    case ErrorKind::unavailable: return grpc::UNAVAILABLE;
    case ErrorKind::timeout: return grpc::DEADLINE_EXCEEDED;
    case ErrorKind::refused: return grpc::FAILED_PRECONDITION;
    case ErrorKind::conflict: return grpc::ABORTED;
    case ErrorKind::not_found: return grpc::NOT_FOUND;
    case ErrorKind::internal: return grpc::INTERNAL;
  }
  return grpc::INTERNAL;
}

constexpr ErrorKind kind_of(grpc::StatusCode code) {
  switch (code) {
    case grpc::INVALID_ARGUMENT:
    case grpc::OUT_OF_RANGE:
    case grpc::DATA_LOSS: return ErrorKind::bad_input;
    case grpc::DEADLINE_EXCEEDED: return ErrorKind::timeout;
    case grpc::NOT_FOUND: return ErrorKind::not_found;
    case grpc::ABORTED: return ErrorKind::conflict;
    case grpc::UNAVAILABLE: return ErrorKind::unavailable;
    case grpc::PERMISSION_DENIED:
    case grpc::UNAUTHENTICATED:
    case grpc::RESOURCE_EXHAUSTED:
    case grpc::FAILED_PRECONDITION:
    case grpc::ALREADY_EXISTS:
    case grpc::UNIMPLEMENTED:
    case grpc::CANCELLED: return ErrorKind::refused;
    default: return ErrorKind::internal;
  }
}

}  // namespace

grpc::Status to_status(const registry::Refusal& refusal) { return {code_of(refusal.kind), bounded(refusal.text)}; }
grpc::Status to_status(const Error& error) { return {code_of(error.kind), bounded(error.text)}; }

Error to_error(const grpc::Status& status, std::string_view what) {
  const auto code = status.error_code();
  return {kind_of(code), std::string(what) + ": " + status.error_message() + " (" + std::string(code_name(code)) + ")"};
}

std::string_view code_name(grpc::StatusCode code) {
  const auto n = static_cast<std::size_t>(code);
  return n < names.size() ? names[n] : "UNKNOWN";
}

}  // namespace nlb::rpc
