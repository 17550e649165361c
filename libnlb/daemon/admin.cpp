#include "libnlb/daemon/admin.hpp"

#include <cstring>
#include <utility>
#include <vector>

#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include "libnlb/daemon/admin_connection.hpp"

namespace nlb::daemon {
namespace asio = boost::asio;
using asio::local::stream_protocol;
using boost::system::error_code;

namespace {

constexpr auto accept_pause = std::chrono::milliseconds(200);   // after a failed accept, as when no descriptor is left

class Acceptor : public std::enable_shared_from_this<Acceptor> {
 public:
  using Protocol = asio::generic::stream_protocol;
  Acceptor(std::shared_ptr<AdminPages> pages, asio::io_context& context)
      : pages_(std::move(pages)), pause_(context), acceptor_(context) {}

  error_code open(const GenericEndpoint& endpoint) {
    error_code error;
    acceptor_.open(endpoint.protocol(), error);
    if (!error && endpoint.protocol().family() != AF_UNIX) acceptor_.set_option(asio::socket_base::reuse_address(true), error);
    if (!error) acceptor_.bind(endpoint, error);
    if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
    return error;
  }
  error_code adopt(int descriptor) {
    int family = AF_INET;
    socklen_t length = sizeof family;
    getsockopt(descriptor, SOL_SOCKET, SO_DOMAIN, &family, &length);
    error_code error;
    acceptor_.assign(Protocol(family, 0), descriptor, error);
    return error;
  }
  int number() { return acceptor_.native_handle(); }
  std::uint16_t port() const {
    const auto local = acceptor_.local_endpoint();
    asio::ip::tcp::endpoint tcp;
    if (local.size() > tcp.capacity()) return 0;
    std::memcpy(tcp.data(), local.data(), local.size());
    return tcp.port();
  }
  void accept() {
    acceptor_.async_accept([self = shared_from_this()](error_code error, GenericSocket socket) {
      if (!self->acceptor_.is_open()) return;
      if (error) return self->accept_later();
      self->admit(std::move(socket));
      self->accept();
    });
  }
  void close() {
    error_code ignored;
    // Not close(): that leaves it to the kernel to end the registration for events, which it doesn't while another process has the socket.
    if (const int number = acceptor_.release(ignored); number >= 0) ::close(number);
    pause_.cancel();
  }

 private:
  void accept_later() {
    pause_.expires_after(accept_pause);
    pause_.async_wait([self = shared_from_this()](error_code error) {
      if (!error) self->accept();
    });
  }
  void admit(GenericSocket socket) {
    if (pages_->open >= pages_->limits.connections_max) ++pages_->counters.refused;   // closed by its destructor
    else std::make_shared<AdminConnection>(pages_, std::move(socket))->read();
  }

  std::shared_ptr<AdminPages> pages_;
  asio::steady_timer pause_;
  asio::basic_socket_acceptor<Protocol, asio::io_context::executor_type> acceptor_;
};

// A socket file that nobody listens on is left from a process that died: bind would refuse it forever.
void remove_dead_socket(asio::io_context& context, const std::string& path) {
  struct stat found{};
  if (stat(path.c_str(), &found) != 0 || !S_ISSOCK(found.st_mode)) return;
  error_code error;
  stream_protocol::socket(context).connect(stream_protocol::endpoint(path), error);
  if (error == asio::error::connection_refused) ::unlink(path.c_str());
}

Error cannot_listen(const Endpoint& address, const error_code& error) {
  const auto name = to_string(address);
  if (error == asio::error::address_in_use)
    return {ErrorKind::unavailable, "address " + name + " is in use: another process listens there: choose another with admin.address"};
  return {ErrorKind::unavailable, "can't listen on " + name + ": " + error.message() + ": choose another with admin.address"};
}

}  // namespace

struct AdminServer::Impl {
  asio::io_context& context;
  std::shared_ptr<AdminPages> pages;
  std::vector<std::shared_ptr<Acceptor>> acceptors, adopted;   // adopted: not accepted from yet
  std::vector<std::string> socket_files;
};

AdminServer::AdminServer(ControlLoop& loop, AdminLimits limits)
    : impl_(new Impl{loop.native(), std::make_shared<AdminPages>(limits), {}, {}, {}}) {}

AdminServer::~AdminServer() { close(false); }

void AdminServer::route(std::string path, AdminHandler handler) { impl_->pages->routes.insert_or_assign(std::move(path), std::move(handler)); }

Result<Endpoint> AdminServer::listen(const Endpoint& address) {
  const auto resolved = resolve(impl_->context, address);
  if (!resolved) return tl::unexpected(resolved.error());
  if (address.kind == Endpoint::Kind::unix_path) remove_dead_socket(impl_->context, address.host);
  auto acceptor = std::make_shared<Acceptor>(impl_->pages, impl_->context);
  if (const auto error = acceptor->open(*resolved)) return tl::unexpected(cannot_listen(address, error));
  acceptor->accept();
  impl_->acceptors.push_back(acceptor);
  if (address.kind == Endpoint::Kind::unix_path) {
    impl_->socket_files.push_back(address.host);
    return address;
  }
  auto bound = address;
  bound.port = acceptor->port();
  return bound;
}

int AdminServer::listener() const { return impl_->acceptors.empty() ? -1 : impl_->acceptors.front()->number(); }

void AdminServer::adopt(int descriptor, const Endpoint& address) {
  auto acceptor = std::make_shared<Acceptor>(impl_->pages, impl_->context);
  if (acceptor->adopt(descriptor)) return void(::close(descriptor));
  impl_->adopted.push_back(std::move(acceptor));
  if (address.kind == Endpoint::Kind::unix_path) impl_->socket_files.push_back(address.host);
}

void AdminServer::open() {
  for (auto& acceptor : std::exchange(impl_->adopted, {})) {
    acceptor->accept();
    impl_->acceptors.push_back(std::move(acceptor));
  }
}

void AdminServer::close(bool handed_over) {
  // What was adopted and never opened belongs to the other process still, its file too.
  if (!impl_->adopted.empty()) handed_over = true;
  for (const auto& acceptor : std::exchange(impl_->acceptors, {})) acceptor->close();
  for (const auto& acceptor : std::exchange(impl_->adopted, {})) acceptor->close();
  for (const auto& file : std::exchange(impl_->socket_files, {}))
    if (!handed_over) ::unlink(file.c_str());
}

AdminServer::Counters AdminServer::counters() const { return impl_->pages->counters; }

}  // namespace nlb::daemon
