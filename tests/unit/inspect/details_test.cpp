#include <catch2/catch.hpp>
#include <list>
#include <string>

#include "corpus.hpp"
#include "libnlb/inspect/detector.hpp"

using namespace nlb;
using namespace nlb::inspect;

namespace {

// Details are views: the bytes are kept for as long as the tests run.
Details details_of(Protocol protocol, std::string_view text, Speaker from = Speaker::client) {
  static std::list<std::string> kept;
  return read_details(protocol, as_bytes(kept.emplace_back(text)), from);
}

std::string le32(std::uint32_t v) { return {static_cast<char>(v), static_cast<char>(v >> 8), static_cast<char>(v >> 16), static_cast<char>(v >> 24)}; }
std::string be16(std::size_t v) { return {static_cast<char>(v >> 8), static_cast<char>(v)}; }
std::string zero_ended(std::string text) { return text + '\0'; }

// A ClientHello with GREASE in front, as browsers send it.
std::string client_hello(const std::string& sni, const std::string& alpn) {
  const std::string name = be16(sni.size() + 3) + std::string(1, '\0') + be16(sni.size()) + sni;
  const std::string protocols = std::string("\2\x1a\x1a", 3) + static_cast<char>(alpn.size()) + alpn;
  const std::string extensions = "\x2a\x2a" + be16(0) + be16(0) + be16(name.size()) + name + be16(16) + be16(protocols.size() + 2) +
                                 be16(protocols.size()) + protocols;
  const std::string body = "\3\3" + std::string(32, 'r') + std::string(1, '\0') + be16(2) + "\x13\x01" + std::string("\1\0", 2) + be16(extensions.size()) + extensions;
  return "\x16\3\1" + be16(body.size() + 4) + std::string("\1\0", 2) + be16(body.size()) + body;
}

std::string mongo(std::uint32_t opcode, const std::string& body) {
  return le32(static_cast<std::uint32_t>(16 + body.size())) + le32(1) + le32(0) + le32(opcode) + body;
}
std::string document(const std::string& elements) { return le32(static_cast<std::uint32_t>(elements.size() + 5)) + elements + '\0'; }
std::string bson_text(const std::string& name, const std::string& value) {
  return '\2' + zero_ended(name) + le32(static_cast<std::uint32_t>(value.size() + 1)) + zero_ended(value);
}

}  // namespace

TEST_CASE("SNI and ALPN of a hello, GREASE stepped over") {
  const std::string hello = client_hello("db.example.test", "h2");
  REQUIRE(detect(as_bytes(hello)).protocol == Protocol::tls);
  const auto d = details_of(Protocol::tls, hello);
  CHECK(d.sni == "db.example.test");
  CHECK(d.alpn == "h2");
  CHECK(d.complete);
  const auto cut = details_of(Protocol::tls, std::string_view(hello).substr(0, 60));
  CHECK(cut.sni.empty());
  CHECK_FALSE(cut.complete);
}

TEST_CASE("method, target and host of a request in its forms") {
  const auto d = details_of(Protocol::http, "\r\nGET /a?b HTTP/1.1\r\nAccept: */*\r\nhOST:  a.test:80 \r\n\r\n");
  CHECK(d.http_method == "GET");
  CHECK(d.http_target == "/a?b");
  CHECK(d.http_host == "a.test:80");
  CHECK(d.complete);
  CHECK(details_of(Protocol::http, "GET http://b.test/x HTTP/1.0\r\n\r\n").http_host == "b.test");
  CHECK(details_of(Protocol::http, "CONNECT c.test:443 HTTP/1.1\r\n\r\n").http_host == "c.test:443");
  CHECK(details_of(Protocol::http, "GET /r?u=http://x/ HTTP/1.0\r\n\r\n").http_host.empty());
  CHECK_FALSE(details_of(Protocol::http, "GET / HTTP/1.1\r\nHost: a.te").complete);
  CHECK(details_of(Protocol::http, "GET / HTTP/1.1\r\nHost: a.te").http_host.empty());
  CHECK(details_of(Protocol::http, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").http_target == "*");
  CHECK(details_of(Protocol::http, "GET /old\r\n").http_target == "/old");
}

TEST_CASE("PostgreSQL: the request's name, and user, database and application behind a refused SSLRequest") {
  const std::string ssl("\0\0\0\x08\x04\xd2\x16\x2f", 8);
  CHECK(details_of(Protocol::postgresql, ssl).command == "ssl");
  CHECK(details_of(Protocol::postgresql, ssl).complete);
  const std::string parameters = zero_ended("user") + zero_ended("lab") + zero_ended("database") + zero_ended("shop") +
                                 zero_ended("application_name") + zero_ended("psql") + '\0';
  const std::string startup = std::string("\0\0", 2) + be16(8 + parameters.size()) + std::string("\0\3\0\0", 4) + parameters;
  const auto d = details_of(Protocol::postgresql, ssl + startup);
  CHECK(d.user == "lab");
  CHECK(d.database == "shop");
  CHECK(d.application == "psql");
  CHECK(details_of(Protocol::postgresql, ssl + client_hello("pg.test", "postgresql")).sni == "pg.test");
  CHECK(details_of(Protocol::postgresql, std::string("\0\0\0\x10\x04\xd2\x16\x2e\0\0\0\1\0\0\0\2", 16)).command == "cancel");
  CHECK_FALSE(details_of(Protocol::postgresql, std::string_view(startup).substr(0, 20)).complete);
}

TEST_CASE("MongoDB: the first key and the database") {
  const std::string find = document(bson_text("find", "orders") + bson_text("$db", "shop"));
  auto d = details_of(Protocol::mongodb, mongo(2013, le32(0) + '\0' + find));
  CHECK(d.command == "find");
  CHECK(d.database == "shop");
  CHECK(d.complete);
  const std::string sequence = le32(4 + 10 + 5) + zero_ended("documents") + document("");
  CHECK(details_of(Protocol::mongodb, mongo(2013, le32(0) + '\1' + sequence + '\0' + find)).command == "find");
  d = details_of(Protocol::mongodb, mongo(2004, le32(0) + zero_ended("admin.$cmd") + le32(0) + le32(1) + document('\x10' + zero_ended("isMaster") + le32(1))));
  CHECK(d.command == "isMaster");
  CHECK(d.database == "admin");
  CHECK(details_of(Protocol::mongodb, mongo(2010, zero_ended("admin") + zero_ended("insert") + document(""))).command == "insert");
}

TEST_CASE("Redis: the first command of an array or a line") {
  CHECK(details_of(Protocol::redis, "*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n").command == "HELLO");
  CHECK(details_of(Protocol::redis, "set a b\r\n").command == "set");
  CHECK_FALSE(details_of(Protocol::redis, "*1\r\n$4\r\nPI").complete);
}

TEST_CASE("MySQL: the greeting's version, and user and database of old and new handshakes") {
  const std::string greeting = std::string("\x0a") + zero_ended("8.0.36") + "rest";
  CHECK(details_of(Protocol::mysql, static_cast<char>(greeting.size()) + std::string("\0\0\0", 3) + greeting, Speaker::server).server_version == "8.0.36");
  const auto packet = [](const std::string& payload) { return static_cast<char>(payload.size()) + std::string("\0\0\1", 3) + payload; };
  const std::string fixed = le32(0x81000000) + "\x21" + std::string(23, '\0');
  const auto d = details_of(Protocol::mysql, packet(le32(0x0000a208 | 0x8) + fixed + zero_ended("lab") + "\x14" + std::string(20, 'p') + zero_ended("shop")));
  CHECK(d.user == "lab");
  CHECK(d.database == "shop");
  CHECK(details_of(Protocol::mysql, packet(le32(0x0000aa08) + fixed)).command == "ssl");
  CHECK(details_of(Protocol::mysql, packet(std::string("\x05\x24\0\0\0", 5) + zero_ended("old") + "hash")).user == "old");
}
