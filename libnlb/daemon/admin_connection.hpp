// One admin connection: read a request, answer it, again until the peer or a timeout ends it. Private to this folder's sources: it
// brings Beast in. Owns itself through the completion handlers that wait for it.
#pragma once

#include <map>
#include <memory>
#include <optional>

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include "libnlb/daemon/admin.hpp"
#include "libnlb/daemon/generic_endpoint.hpp"

namespace nlb::daemon {

struct AdminPages {   // what the connections of one server share
  explicit AdminPages(AdminLimits wanted) : limits(wanted) {}
  AdminResponse answer(const boost::beast::http::request<boost::beast::http::string_body>& request);

  AdminLimits limits;
  std::map<std::string, AdminHandler, std::less<>> routes;
  std::uint32_t open = 0;
  AdminServer::Counters counters;
};

class AdminConnection : public std::enable_shared_from_this<AdminConnection> {
 public:
  AdminConnection(std::shared_ptr<AdminPages> pages, GenericSocket socket);
  ~AdminConnection();
  void read();

 private:
  using Response = boost::beast::http::response<boost::beast::http::string_body>;
  void on_read(const boost::system::error_code& error);
  void refuse(unsigned status, std::string text);   // answers and ends
  void write(Response response);
  void on_write(const boost::system::error_code& error);
  void drop_rest();   // reads what the peer still sends, so that our close doesn't reset the answer away

  std::shared_ptr<AdminPages> pages_;
  boost::beast::basic_stream<boost::asio::generic::stream_protocol, boost::asio::io_context::executor_type> stream_;
  boost::beast::flat_buffer buffer_;
  std::optional<boost::beast::http::request_parser<boost::beast::http::string_body>> parser_;
  Response response_;
};

}  // namespace nlb::daemon
