#include "libnlb/inspect/first_answer.hpp"

#include <catch2/catch.hpp>
#include <string>

#include "libnlb/inspect/flow.hpp"

using namespace nlb;
using namespace nlb::inspect;

namespace {

std::string text(const char* bytes, std::size_t size) { return {bytes, size}; }
#define RAW(literal) text(literal, sizeof(literal) - 1)

FirstAnswer judge(Protocol protocol, const std::string& bytes) { return judge_first_answer(protocol, as_bytes(bytes)); }

struct Case {
  Protocol protocol;
  std::string bytes;
  FirstAnswer want;
};

const Case cases[] = {
    {Protocol::http, "HTTP/1.1 200 OK\r\n", FirstAnswer::ok},
    {Protocol::http, "HTTP/1.1 404 Not Found\r\n", FirstAnswer::ok},
    {Protocol::http, "HTTP/1.1 503 Service Unavailable\r\n", FirstAnswer::error},
    {Protocol::http, RAW("\0\0\x12\4\0\0\0\0\0"), FirstAnswer::ok},
    {Protocol::http, RAW("\0\0\x08\7\0\0\0\0\0\0\0\0\0\0\0\0\2"), FirstAnswer::error},
    {Protocol::tls, RAW("\x16\3\3\0\x50\2"), FirstAnswer::ok},
    {Protocol::tls, RAW("\x15\3\3\0\2\2\x28"), FirstAnswer::error},
    {Protocol::mysql, RAW("\x4a\0\0\0\x0a" "8.0.36\0"), FirstAnswer::ok},
    {Protocol::mysql, RAW("\x16\0\0\0\xff\x10\x04Too many"), FirstAnswer::error},
    {Protocol::postgresql, "N", FirstAnswer::ok},
    {Protocol::postgresql, RAW("R\0\0\0\x08\0\0\0\0"), FirstAnswer::ok},
    {Protocol::postgresql, RAW("E\0\0\0\x16SFATAL\0C53300\0Mx\0\0"), FirstAnswer::error},
    {Protocol::postgresql, RAW("E\0\0\0\x16SFATAL\0C28P01\0Mx\0\0"), FirstAnswer::ok},
    {Protocol::redis, "+PONG\r\n", FirstAnswer::ok},
    {Protocol::redis, "-ERR unknown command\r\n", FirstAnswer::error},
    {Protocol::redis, "-LOADING Redis is loading\r\n", FirstAnswer::error},
    {Protocol::redis, "-NOAUTH Authentication required.\r\n", FirstAnswer::ok},
    {Protocol::redis, "-MOVED 3999 127.0.0.1:6381\r\n", FirstAnswer::ok},
    {Protocol::mongodb, RAW("\x26\0\0\0\1\0\0\0\1\0\0\0\xdd\7\0\0\0\0\0\0\0\x11\0\0\0\1ok\0\0\0\0\0\0\0\xf0\x3f\0"), FirstAnswer::ok},
    {Protocol::mongodb, RAW("\x26\0\0\0\1\0\0\0\1\0\0\0\xdd\7\0\0\0\0\0\0\0\x11\0\0\0\1ok\0\0\0\0\0\0\0\0\0\0"), FirstAnswer::error},
    {Protocol::rtmp, RAW("\3\0\0\0\0"), FirstAnswer::ok},
};

}  // namespace

TEST_CASE("a server's first answer is judged, and a cut one is undecided or already right") {
  for (const auto& c : cases) {
    INFO(to_string(c.protocol) << " " << to_hex(as_bytes(c.bytes)));
    CHECK(judge(c.protocol, c.bytes) == c.want);
    for (std::size_t n = 0; n < c.bytes.size(); ++n) {
      const auto cut = judge(c.protocol, c.bytes.substr(0, n));
      CHECK((cut == FirstAnswer::undecided || cut == c.want));
    }
  }
}

TEST_CASE("MySQL's first packet is checked before it is passed on") {
  CHECK(check_greeting(as_bytes(RAW("\x4a\0\0\0"))) == GreetingCheck::more);
  CHECK(check_greeting(as_bytes(RAW("\x4a\0\0\0\x0a"))) == GreetingCheck::greeting);
  CHECK(check_greeting(as_bytes(RAW("\x16\0\0\0\xff"))) == GreetingCheck::error);
  CHECK(check_greeting(as_bytes(RAW("\x4a\0\0\1"))) == GreetingCheck::other);
  CHECK(check_greeting(as_bytes("HTTP/1.1 400")) == GreetingCheck::other);
}

TEST_CASE("both directions correct each other") {
  const auto flow = [](std::string_view client, std::string_view server) { return judge_flow(as_bytes(client), as_bytes(server)).verdict; };
  CHECK(flow("QUIT\r\n", "220 ftp ready\r\n").answer == Answer::unknown);
  CHECK(flow("QUIT\r\n", "+OK POP3 ready\r\n").answer == Answer::unknown);
  CHECK(flow("QUIT\r\n", "+OK\r\n").protocol == Protocol::redis);
  CHECK(flow("hello", RAW("\x4a\0\0\0\x0a" "8.0.36\0")).protocol == Protocol::mysql);
  CHECK(flow("", "HTTP/1.1 200 OK\r\n").protocol == Protocol::http);
  CHECK(flow("*1\r\n$4\r\nPING\r\n", "220 odd\r\n").protocol == Protocol::redis);
  CHECK(judge_flow({}, as_bytes(RAW("\x4a\0\0\0\x0a" "8.0.36\0"))).decided_by == Speaker::server);
}
