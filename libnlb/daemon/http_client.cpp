#include "libnlb/daemon/http_client.hpp"

#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>

#include "libnlb/daemon/generic_endpoint.hpp"

namespace nlb::daemon {
namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;

namespace {

constexpr std::uint64_t answer_bytes_max = 64u << 20;

struct Exchange {   // connect, write, read: each step starts the next one; `error` is what stopped it
  explicit Exchange(boost::asio::io_context& context) : stream(context.get_executor()) { parser.body_limit(answer_bytes_max); }

  void start(const GenericEndpoint& endpoint) {
    stream.async_connect(endpoint, [this](error_code e) { e ? void(error = e) : write(); });
  }
  void write() {
    http::async_write(stream, request, [this](error_code e, std::size_t) { e ? void(error = e) : read(); });
  }
  void read() {
    http::async_read(stream, buffer, parser, [this](error_code e, std::size_t) { error = e; });
  }

  beast::basic_stream<boost::asio::generic::stream_protocol, boost::asio::io_context::executor_type> stream;
  http::request<http::empty_body> request{http::verb::get, "/", 11};
  beast::flat_buffer buffer;
  http::response_parser<http::string_body> parser;
  error_code error;
};

Error failure(const Endpoint& address, const error_code& error, Duration deadline) {
  const auto name = to_string(address);
  if (error == beast::error::timeout)
    return {ErrorKind::timeout, "no answer from " + name + " within " + format_duration(deadline) + ": is it busy or another service?"};
  if (error.category() == make_error_code(http::error::bad_method).category())
    return {ErrorKind::bad_input, name + " does not answer in HTTP: " + error.message() + ": check admin.address"};
  return {ErrorKind::unavailable, "nobody answers at " + name + ": " + error.message() + ": start the daemon, or name its admin.address"};
}

}  // namespace

Result<HttpAnswer> http_get(const Endpoint& address, std::string_view target, Duration deadline) {
  boost::asio::io_context context(1);
  const auto resolved = resolve(context, address);
  if (!resolved) return tl::unexpected(resolved.error());
  Exchange exchange(context);
  exchange.request.target({target.data(), target.size()});
  exchange.request.set(http::field::host, to_string(address));
  exchange.request.keep_alive(false);
  exchange.stream.expires_after(deadline);
  exchange.start(*resolved);
  context.run();
  if (exchange.error) return tl::unexpected(failure(address, exchange.error, deadline));
  auto response = exchange.parser.release();
  const auto type = response[http::field::content_type];
  return HttpAnswer{response.result_int(), std::string(type.data(), type.size()), std::move(response.body())};
}

}  // namespace nlb::daemon
