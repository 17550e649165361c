// From our Endpoint to Asio's protocol-independent one. Private to this folder's sources: it brings Asio in.
#pragma once

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/address_v6.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>

#include "libnlb/core/address.hpp"
#include "libnlb/core/result.hpp"

namespace nlb::daemon {

using GenericEndpoint = boost::asio::generic::stream_protocol::endpoint;
using GenericSocket = boost::asio::basic_stream_socket<boost::asio::generic::stream_protocol, boost::asio::io_context::executor_type>;

Result<GenericEndpoint> resolve(boost::asio::io_context& context, const Endpoint& endpoint);   // blocks for a name
Endpoint endpoint_of(const boost::asio::ip::tcp::endpoint& endpoint);

}  // namespace nlb::daemon
