#include "libnlb/daemon/admin_connection.hpp"

#include <utility>

#include <boost/beast/http/read.hpp>
#include <boost/beast/http/write.hpp>

#include "libnlb/daemon/log.hpp"

namespace nlb::daemon {
namespace http = boost::beast::http;
using boost::system::error_code;

namespace {

AdminResponse plain(unsigned status, std::string text) { return {status, "text/plain; charset=utf-8", std::move(text) + "\n"}; }

AdminRequest split_target(std::string_view target) {
  const auto mark = target.find('?');
  return {std::string(target.substr(0, mark)), mark == std::string_view::npos ? "" : std::string(target.substr(mark + 1))};
}

http::response<http::string_body> to_http(AdminResponse answer, bool head, bool keep_alive) {
  http::response<http::string_body> response(static_cast<http::status>(answer.status), 11);
  response.set(http::field::content_type, answer.content_type);
  response.set(http::field::cache_control, "no-store");
  if (answer.status == 405) response.set(http::field::allow, "GET, HEAD");
  response.keep_alive(keep_alive);
  response.content_length(answer.body.size());   // of what GET would send, for HEAD too (RFC 9110 section 9.3.2)
  if (!head) response.body() = std::move(answer.body);
  return response;
}

}  // namespace

AdminResponse AdminPages::answer(const http::request<http::string_body>& request) {
  ++counters.requests;
  const auto target = request.target();
  const auto asked = split_target({target.data(), target.size()});
  const auto found = routes.find(asked.path);
  if (found == routes.end()) {
    std::string known = "not found; there are";
    for (const auto& route : routes) known += " " + route.first;
    return plain(404, std::move(known));
  }
  if (request.method() != http::verb::get && request.method() != http::verb::head) return plain(405, "only GET and HEAD");
  try {
    return found->second(asked);
  } catch (const std::exception& e) {
    log::error("an admin page failed", {{"path", asked.path}, {"reason", e.what()}});
    return plain(500, "internal error");
  }
}

AdminConnection::AdminConnection(std::shared_ptr<AdminPages> pages, GenericSocket socket)
    : pages_(std::move(pages)), stream_(std::move(socket)) {
  ++pages_->open;
}

AdminConnection::~AdminConnection() { --pages_->open; }

void AdminConnection::read() {
  parser_.emplace();
  parser_->header_limit(pages_->limits.request_bytes_max);
  parser_->body_limit(pages_->limits.request_bytes_max);
  stream_.expires_after(pages_->limits.timeout);
  http::async_read(stream_, buffer_, *parser_, [self = shared_from_this()](error_code error, std::size_t) { self->on_read(error); });
}

void AdminConnection::on_read(const error_code& error) {
  if (error == http::error::header_limit) return refuse(431, "the request's head is too large");
  if (error == http::error::body_limit) return refuse(413, "the request's body is too large");
  if (error == http::error::end_of_stream || error == http::error::partial_message) return;   // the peer is done
  if (error && error.category() == make_error_code(http::error::bad_method).category()) return refuse(400, "not an HTTP request");
  if (error) return;   // reset, or too slow
  const auto& request = parser_->get();
  write(to_http(pages_->answer(request), request.method() == http::verb::head, request.keep_alive()));
}

void AdminConnection::refuse(unsigned status, std::string text) { write(to_http(plain(status, std::move(text)), false, false)); }

void AdminConnection::write(Response response) {
  response_ = std::move(response);
  stream_.expires_after(pages_->limits.timeout);
  http::async_write(stream_, response_, [self = shared_from_this()](error_code error, std::size_t) { self->on_write(error); });
}

void AdminConnection::on_write(const error_code& error) {
  if (error == http::error::end_of_stream || (!error && !response_.keep_alive())) {
    error_code ignored;
    stream_.socket().shutdown(boost::asio::socket_base::shutdown_send, ignored);
    stream_.expires_after(std::chrono::seconds(1));
    return drop_rest();
  }
  if (!error) read();
}

void AdminConnection::drop_rest() {
  buffer_.clear();
  stream_.async_read_some(buffer_.prepare(4096), [self = shared_from_this()](error_code error, std::size_t) {
    if (!error) self->drop_rest();
  });
}

}  // namespace nlb::daemon
