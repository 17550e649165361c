#include "libnlb/daemon/http_client.hpp"

#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>

#include <charconv>

#include "libnlb/daemon/clock.hpp"
#include "libnlb/daemon/generic_endpoint.hpp"

namespace nlb::daemon {
namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;

struct HttpPeer::Tls { asio::ssl::context context{asio::ssl::context::tls_client}; };

namespace {

constexpr Duration look_interval = std::chrono::milliseconds(50);      // whether the request has been given up
using Plain = beast::basic_stream<asio::generic::stream_protocol, asio::io_context::executor_type>;
using Secure = beast::ssl_stream<Plain>;

// connect, shake hands, write, read: each step starts the next one; `error` is what stopped it, `trusted` whether it was the certificate.
template <class Stream>
struct Exchange {
  Exchange(Stream& s, std::uint64_t answer_bytes_max) : stream(s) { parser.body_limit(answer_bytes_max); }
  void start(const GenericEndpoint& to) {
    beast::get_lowest_layer(stream).async_connect(to, [this](error_code e) { e ? void(error = e) : secure(); });
  }
  void secure() {
    if constexpr (std::is_same_v<Stream, Secure>)
      stream.async_handshake(asio::ssl::stream_base::client, [this](error_code e) { e ? distrust(e) : write(); });
    else write();
  }
  void distrust(error_code e) {
    trusted = e == beast::error::timeout;
    error = e;
  }
  void write() {
    http::async_write(stream, request, [this](error_code e, std::size_t) { e ? void(error = e) : read(); });
  }
  void read() {
    http::async_read(stream, buffer, parser, [this](error_code e, std::size_t) { error = e; });
  }
  Stream& stream;
  http::request<http::string_body> request;
  beast::flat_buffer buffer;
  http::response_parser<http::string_body> parser;
  error_code error;
  bool trusted = true;
};

http::request<http::string_body> to_beast(const HttpRequest& in, const Endpoint& address) {
  http::request<http::string_body> out{http::string_to_verb(in.method), in.target, 11};
  out.set(http::field::host, address.kind == Endpoint::Kind::unix_path ? "localhost" : to_string(address));
  out.set(http::field::user_agent, "nlb/" NLB_VERSION);
  out.set(http::field::accept, in.accept);
  if (!in.bearer.empty()) out.set(http::field::authorization, "Bearer " + in.bearer);
  if (!in.body.empty()) out.set(http::field::content_type, in.content_type);
  out.body() = in.body;
  out.keep_alive(false);
  out.prepare_payload();
  return out;
}

Duration retry_after(const http::response<http::string_body>& response) {
  const auto text = response[http::field::retry_after];
  unsigned seconds = 0;
  std::from_chars(text.data(), text.data() + text.size(), seconds);
  return std::chrono::seconds(std::min(seconds, 3600u));
}

Error failure(const std::string& name, const error_code& error, bool trusted) {
  if (error == beast::error::timeout)
    return {ErrorKind::timeout, "no answer from " + name + " by the deadline: is it overloaded or stuck?"};
  if (!trusted)
    return {ErrorKind::refused, "no trusted connection to " + name + ": " + error.message() + ": check its certificate and ca_file"};
  if (error.category() == make_error_code(http::error::bad_method).category())
    return {ErrorKind::bad_input, name + " does not answer in HTTP: " + error.message() + ": is the address right?"};
  return {ErrorKind::unavailable, "nobody answers at " + name + ": " + error.message() + ": is it running, and may this user reach it?"};
}

template <class Stream>
Result<HttpAnswer> run(asio::io_context& context, Stream& stream, const GenericEndpoint& to, const HttpRequest& request,
                       const Endpoint& address, MonoTime deadline, const std::atomic<bool>* cancelled) {
  Exchange<Stream> exchange(stream, request.answer_bytes_max);
  exchange.request = to_beast(request, address);
  beast::get_lowest_layer(stream).expires_at(deadline);
  exchange.start(to);
  while (!context.stopped()) {
    if (cancelled && *cancelled) return fail(ErrorKind::unavailable, "the request to " + to_string(address) + " was given up");
    context.run_for(look_interval);
  }
  if (exchange.error) return tl::unexpected(failure(to_string(address), exchange.error, exchange.trusted));
  auto response = exchange.parser.release();
  return HttpAnswer{response.result_int(), response[http::field::content_type], std::move(response.body()), retry_after(response)};
}

std::string host_of(const Endpoint& address) {
  return address.kind == Endpoint::Kind::ip ? to_string(address.ip) : address.host;
}

}  // namespace

Result<HttpPeer> HttpPeer::plain(Endpoint address) { return HttpPeer(std::move(address)); }

Result<HttpPeer> HttpPeer::tls(Endpoint address, const std::string& ca_file) {
  HttpPeer out(std::move(address));
  out.tls_ = std::make_shared<Tls>();
  auto& context = out.tls_->context;
  error_code error;
  SSL_CTX_set_min_proto_version(context.native_handle(), TLS1_2_VERSION);
  context.set_verify_mode(asio::ssl::verify_peer);
  context.set_verify_callback(asio::ssl::host_name_verification(host_of(out.address_)));
  context.load_verify_file(ca_file, error);
  if (error) return fail(ErrorKind::unavailable, "can't read certificates from " + ca_file + ": " + error.message() + ": check ca_file");
  return out;
}

Result<HttpAnswer> HttpPeer::ask(const HttpRequest& request, MonoTime deadline, const std::atomic<bool>* cancelled) const {
  asio::io_context context(1);
  const auto to = resolve(context, address_);
  if (!to) return tl::unexpected(to.error());
  if (!tls_) {
    Plain stream(context.get_executor());
    return run(context, stream, *to, request, address_, deadline, cancelled);
  }
  Secure stream(Plain(context.get_executor()), tls_->context);
  SSL_set_tlsext_host_name(stream.native_handle(), host_of(address_).c_str());
  return run(context, stream, *to, request, address_, deadline, cancelled);
}

Result<HttpAnswer> http_get(const Endpoint& address, std::string_view target, Duration deadline) {
  HttpRequest request;
  request.target = target;
  request.accept = "*/*";
  request.answer_bytes_max = 64u << 20;
  return HttpPeer::plain(address)->ask(request, mono_now() + deadline);
}

std::string url_escaped(std::string_view text) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) || c == '-' || c == '.' || c == '_' || c == '~') out += c;
    else out += {'%', digits[byte >> 4], digits[byte & 15]};
  }
  return out;
}

}  // namespace nlb::daemon
