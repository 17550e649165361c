#include "libnlb/daemon/generic_endpoint.hpp"

#include <algorithm>

namespace nlb::daemon {
namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

asio::ip::address address_of(const IpAddress& ip) {
  if (ip.is_v4()) return asio::ip::address_v4(ip.v4_host_order());
  return asio::ip::address_v6(ip.octets);
}

Result<GenericEndpoint> resolve_name(asio::io_context& context, const Endpoint& endpoint) {
  boost::system::error_code error;
  const auto found = tcp::resolver(context).resolve(endpoint.host, std::to_string(endpoint.port), error);
  if (error || found.empty())
    return fail(ErrorKind::unavailable, "the name " + endpoint.host + " can't be resolved: " + error.message() + ": check its spelling");
  return GenericEndpoint(found.begin()->endpoint());
}

}  // namespace

Result<GenericEndpoint> resolve(asio::io_context& context, const Endpoint& endpoint) {
  switch (endpoint.kind) {
    case Endpoint::Kind::ip: return GenericEndpoint(tcp::endpoint(address_of(endpoint.ip), endpoint.port));
    case Endpoint::Kind::name: return resolve_name(context, endpoint);
    case Endpoint::Kind::unix_path: break;
  }
  if (endpoint.host.size() > 107)   // sun_path
    return fail(ErrorKind::config, "unix:" + endpoint.host + " is too long: a socket's path has at most 107 bytes: choose a shorter one");
  return GenericEndpoint(asio::local::stream_protocol::endpoint(endpoint.host));
}

Endpoint endpoint_of(const tcp::endpoint& endpoint) {
  Endpoint out;
  out.port = endpoint.port();
  const auto address = endpoint.address();
  if (address.is_v4()) out.ip = IpAddress::v4(address.to_v4().to_uint());
  else out.ip.octets = address.to_v6().to_bytes();
  return out;
}

}  // namespace nlb::daemon
