#include <catch2/catch.hpp>

#include <thread>

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "libnlb/daemon/admin.hpp"
#include "libnlb/daemon/http_client.hpp"
#include "support.hpp"

using namespace nlb;
using namespace nlb::daemon;

namespace {

const Endpoint any_port{Endpoint::Kind::ip, 0, IpAddress::v4(0x7f000001), {}};

struct Running {   // an admin server with its loop on a thread
  ControlLoop loop;
  AdminServer server;
  Endpoint address;
  std::thread thread;
  explicit Running(AdminLimits limits = {}, const Endpoint& wanted = any_port) : server(loop, limits) {
    server.route("/healthz", [](const AdminRequest&) { return AdminResponse{200, "text/plain", "alive\n"}; });
    server.route("/echo", [](const AdminRequest& request) { return json_response("\"" + request.query + "\""); });
    server.route("/broken", [](const AdminRequest&) -> AdminResponse { throw std::runtime_error("on purpose"); });
    server.route("/large", [](const AdminRequest&) { return metrics_response(std::string(8 << 20, 'x')); });
    address = server.listen(wanted).value();
    thread = std::thread([this] { loop.run(); });
  }
  ~Running() {
    loop.stop();
    thread.join();
  }
};

class Client {   // a raw connection: sends what it is told and reads until the end
 public:
  explicit Client(const Endpoint& to) : descriptor_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(to.port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(connect(descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    const timeval bound{10, 0};
    setsockopt(descriptor_, SOL_SOCKET, SO_RCVTIMEO, &bound, sizeof bound);
  }
  ~Client() { close(descriptor_); }
  Client& send(const std::string& text) {
    REQUIRE(::send(descriptor_, text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size()));
    return *this;
  }
  std::string read_to_end() {
    std::string all;
    char chunk[4096];
    for (ssize_t got = 0; (got = recv(descriptor_, chunk, sizeof chunk, 0)) > 0;) all.append(chunk, static_cast<std::size_t>(got));
    return all;
  }
  std::string read_some() {
    char chunk[4096];
    const auto got = recv(descriptor_, chunk, sizeof chunk, 0);
    return {chunk, static_cast<std::size_t>(std::max<ssize_t>(got, 0))};
  }

 private:
  int descriptor_;
};

}  // namespace

TEST_CASE("a page is its handler's answer, with the query apart") {
  Running running;
  const auto healthz = http_get(running.address, "/healthz");
  REQUIRE(healthz);
  CHECK(healthz->status == 200);
  CHECK(healthz->body == "alive\n");
  const auto echo = http_get(running.address, "/echo?a=1&b=2");
  REQUIRE(echo);
  CHECK(echo->body == "\"a=1&b=2\"");
  CHECK(echo->content_type == "application/json");
}

TEST_CASE("unknown paths are 404 with the known ones, a failing handler is 500, other methods are 405") {
  Running running;
  const auto missing = http_get(running.address, "/nothing");
  REQUIRE(missing);
  CHECK(missing->status == 404);
  CHECK(missing->body == "not found; there are /broken /echo /healthz /large\n");
  CHECK(http_get(running.address, "/broken")->status == 500);
  const auto post = Client(running.address).send("POST /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi").read_to_end();
  CHECK(post.starts_with("HTTP/1.1 405 "));
  CHECK(post.find("Allow: GET, HEAD\r\n") != std::string::npos);
}

TEST_CASE("HEAD has GET's length and no body, and a connection serves several requests") {
  Running running;
  Client client(running.address);
  const auto head = client.send("HEAD /healthz HTTP/1.1\r\nHost: x\r\n\r\n").read_some();
  CHECK(head.find("Content-Length: 6\r\n") != std::string::npos);
  CHECK(head.ends_with("\r\n\r\n"));
  const auto get = client.send("GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").read_to_end();
  CHECK(get.ends_with("\r\n\r\nalive\n"));
}

TEST_CASE("too large a head is 431, too large a body 413, garbage is 400") {
  Running running;
  CHECK(Client(running.address).send("GET / HTTP/1.1\r\nX: " + std::string(20000, 'x') + "\r\n\r\n").read_to_end().starts_with("HTTP/1.1 431 "));
  CHECK(Client(running.address).send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n").read_to_end().starts_with("HTTP/1.1 413 "));
  CHECK(Client(running.address).send("\x16\x03\x01 this is not HTTP\r\n\r\n").read_to_end().starts_with("HTTP/1.1 400 "));
}

TEST_CASE("a client that sends nothing or half a request is closed after the timeout") {
  Running running({.timeout = 50ms});
  CHECK(Client(running.address).read_to_end().empty());
  CHECK(Client(running.address).send("GET /healthz HT").read_to_end().empty());
  CHECK(http_get(running.address, "/healthz")->status == 200);
}

TEST_CASE("connections over the limit are closed and counted; one that ends makes room") {
  Running running({.connections_max = 2});
  {
    Client first(running.address), second(running.address);
    first.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    second.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK_FALSE(first.read_some().empty());
    CHECK_FALSE(second.read_some().empty());
    CHECK(Client(running.address).read_to_end().empty());
  }
  CHECK(test::eventually([&] {
    const auto answer = http_get(running.address, "/healthz");
    return answer && answer->status == 200;
  }));
}

TEST_CASE("a large page arrives whole") {
  Running running;
  const auto answer = http_get(running.address, "/large");
  REQUIRE(answer);
  CHECK(answer->body.size() == 8u << 20);
}

TEST_CASE("a port in use is refused with the address and the key to change") {
  Running running;
  ControlLoop loop;
  AdminServer second(loop);
  const auto bound = second.listen(running.address);
  REQUIRE_FALSE(bound);
  CHECK(bound.error().kind == ErrorKind::unavailable);
  CHECK(bound.error().text == "address " + to_string(running.address) + " is in use: another process listens there: choose another with admin.address");
}

TEST_CASE("a unix socket works, is removed at the end, and a dead one is replaced") {
  test::TempFolder folder;
  const Endpoint address{Endpoint::Kind::unix_path, 0, {}, folder / "admin.sock"};
  const int dead = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  address.host.copy(name.sun_path, sizeof name.sun_path - 1);
  REQUIRE(bind(dead, reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0);
  close(dead);
  {
    Running running({}, address);
    CHECK(http_get(address, "/healthz")->body == "alive\n");
    ControlLoop loop;
    CHECK_FALSE(AdminServer(loop).listen(address));
    CHECK(http_get(address, "/healthz")->body == "alive\n");
  }
  CHECK_FALSE(std::filesystem::exists(address.host));
}

TEST_CASE("an IPv6 address and a name can be listened on") {
  CHECK(http_get(Running({}, parse_endpoint("[::1]:0").value()).address, "/healthz"));
}

TEST_CASE("the client says when nobody listens and when nobody answers in time") {
  Endpoint nobody;
  { nobody = Running().address; }
  const auto refused = http_get(nobody, "/status");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().kind == ErrorKind::unavailable);
  CHECK(refused.error().text == "nobody answers at " + to_string(nobody) + ": Connection refused: is it running, and may this user reach it?");

  const int silent = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  REQUIRE(bind(silent, reinterpret_cast<sockaddr*>(&address), length) == 0);
  REQUIRE(listen(silent, 1) == 0);
  getsockname(silent, reinterpret_cast<sockaddr*>(&address), &length);
  nobody.port = ntohs(address.sin_port);
  const auto late = http_get(nobody, "/status", 50ms);
  close(silent);
  REQUIRE_FALSE(late);
  CHECK(late.error().kind == ErrorKind::timeout);
}
