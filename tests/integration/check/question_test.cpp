// What a health check says to a server.
#include <catch2/catch.hpp>

#include "libnlb/check/question.hpp"

using namespace nlb;
using namespace nlb::check;
using registry::CheckKind;

TEST_CASE("an HTTP check asks for its target") {
  using Catch::Matchers::StartsWith;
  CHECK_THAT(Question(Protocol::http, CheckKind::protocol, "", "h:1").begin().send, StartsWith("GET / HTTP/1.1\r\nHost: h:1\r\n"));
  CHECK_THAT(Question(Protocol::http, CheckKind::protocol, "/healthz?a=%20", "h:1").begin().send, StartsWith("GET /healthz?a=%20 HTTP/1.1\r\n"));
}

TEST_CASE("a target that is no path is never sent") {
  for (const auto* target : {"/a\r\nX-Evil: y", "/a b", "healthz", "http://other/", "/\x80"}) {
    const auto step = Question(Protocol::http, CheckKind::protocol, target, "h:1").begin();
    CHECK(step.verdict == Verdict::bad);
    CHECK(step.send.empty());
    CHECK_THAT(step.error, Catch::Matchers::Contains("the check's target is no path"));
  }
}
