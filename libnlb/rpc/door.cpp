#include "libnlb/rpc/door.hpp"

#include <algorithm>

#include <grpc/grpc_security_constants.h>

namespace nlb::rpc {

namespace {

std::vector<std::string> property(const grpc::AuthContext& context, const char* name) {
  std::vector<std::string> all;
  for (const auto& value : context.FindPropertyValues(name)) all.emplace_back(value.data(), value.size());
  return all;
}

registry::Caller caller_of(const grpc::AuthContext& context, std::string address) {
  registry::Caller caller{std::move(address), false, {}};
  for (auto name : property(context, GRPC_X509_SAN_PROPERTY_NAME)) {
    if (name.starts_with("nlb:")) name.erase(0, 4);
    if (name == "*") caller.any_service = true;
    caller.services.push_back(std::move(name));
  }
  const auto common = property(context, GRPC_X509_CN_PROPERTY_NAME);
  if (!common.empty()) caller.name = common.front();
  else if (!caller.services.empty()) caller.name = caller.services.front();
  return caller;
}

// gRPC writes it percent-encoded where it has an IPv6 address in brackets.
std::string without_escapes(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text.substr(i, 3) == "%5B") out += '[', i += 2;
    else if (text.substr(i, 3) == "%5D") out += ']', i += 2;
    else out += text[i];
  }
  return out;
}

}  // namespace

std::string address_of_peer(std::string_view peer) {
  if (!peer.starts_with("ipv4:") && !peer.starts_with("ipv6:")) return "local";
  auto text = without_escapes(peer.substr(5));
  const auto colon = text.rfind(':');
  if (colon != std::string::npos) text.resize(colon);
  if (text.size() > 2 && text.front() == '[') text = text.substr(1, text.size() - 2);
  const auto address = parse_ip(text);
  return address ? to_string(*address) : text;
}

bool may_speak_for(const registry::Caller& caller, std::string_view service) {
  return caller.any_service || std::find(caller.services.begin(), caller.services.end(), service) != caller.services.end();
}

tl::expected<registry::Caller, grpc::Status> Door::admit(const grpc::ServerContextBase& context) const {
  if (!keys_->empty()) {
    const auto& metadata = context.client_metadata();
    const auto sent = metadata.find(grpc::string_ref(api_key_metadata.data(), api_key_metadata.size()));
    if (sent == metadata.end())
      return tl::unexpected(grpc::Status(grpc::UNAUTHENTICATED, "the API key is missing: send it as metadata x-nlb-api-key (nlb-registry: "
                                                                "--api-key-file, security.api_key_file or NLB_API_KEY)"));
    if (!keys_->allow({sent->second.data(), sent->second.size()}))
      return tl::unexpected(grpc::Status(grpc::UNAUTHENTICATED, "the API key is wrong: ask the operator for the one in force"));
  }
  auto address = address_of_peer(context.peer());
  const auto identity = context.auth_context();
  if (!certificates_) return registry::Caller{std::move(address), true, {}};
  if (!identity || !identity->IsPeerAuthenticated())
    return tl::unexpected(grpc::Status(grpc::UNAUTHENTICATED, "a client certificate is needed: present one of the authority in security.tls.client_ca"));
  return caller_of(*identity, std::move(address));
}

}  // namespace nlb::rpc
