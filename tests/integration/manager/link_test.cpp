// The link to an outer manager: what is said next and when, and what a URL may be. The link itself meets a manager in e2e/forward_manager.
#include <catch2/catch.hpp>
#include <set>

#include "libnlb/manager/link_state.hpp"
#include "libnlb/manager/url.hpp"

using namespace nlb;
using namespace nlb::manager;

namespace {

constexpr MonoTime start{};
bool about(MonoTime due, Duration expected) {      // within the spread of a tenth
  const auto wait = to_seconds(due - start);
  return wait >= to_seconds(expected) * 0.9 && wait <= to_seconds(expected) * 1.1;
}

}  // namespace

TEST_CASE("it registers at once, then beats at the interval, spread by a tenth") {
  LinkState link(30s, 1, start);
  CHECK(link.next() == LinkState::Say::registration);
  CHECK(link.due() == start);
  std::set<MonoTime> seen;
  for (int i = 0; i < 20; ++i) {
    link.answered({200, {}}, start);
    CHECK(link.next() == LinkState::Say::heartbeat);
    CHECK(about(link.due(), 30s));
    seen.insert(link.due());
  }
  CHECK(seen.size() > 10);
  CHECK(link.counters().good == 20);
}

TEST_CASE("a manager that doesn't answer is asked again ever later, up to the interval, and at the interval after a good answer") {
  LinkState link(10s, 1, start);
  for (const Duration expected : {1s, 2s, 4s, 8s, 10s, 10s, 10s}) {
    link.answered({0, "nobody answers"}, start);
    CHECK(about(link.due(), expected));
  }
  CHECK(link.last_error() == "nobody answers");
  CHECK_FALSE(link.registered());
  link.answered({204, {}}, start);
  CHECK(link.last_error().empty());
  link.answered({503, {}}, start);
  CHECK(about(link.due(), 1s));
  CHECK(link.registered());                        // it may have heard us, and will say so if not
  CHECK(link.counters().bad == 8);
}

TEST_CASE("a manager that has forgotten us is told again who we are; a refused key says what to check") {
  LinkState link(10s, 1, start);
  link.answered({200, {}}, start);
  link.answered({404, {}}, start);
  CHECK(link.next() == LinkState::Say::registration);
  CHECK(about(link.due(), 1s));
  link.answered({401, {}}, start);
  CHECK_THAT(link.last_error(), Catch::Contains("manager.api_key_file"));
}

TEST_CASE("URLs are read with their defaults, and what can't be one is refused") {
  const auto url = parse_url("https://manager.example/api/").value();
  CHECK(url.tls);
  CHECK(to_string(url.address) == "manager.example:443");
  CHECK(url.path == "/api");
  CHECK(to_string(parse_url("http://10.0.0.1").value().address) == "10.0.0.1:80");
  CHECK(to_string(parse_url("http://[::1]").value().address) == "[::1]:80");
  CHECK(to_string(parse_url("http://[::1]:8080/").value().address) == "[::1]:8080");
  for (const auto* text : {"", "manager", "ftp://manager", "http://", "http:///path", "http://:80", "http://a@b", "http://a/?q", "http://a:99999", "http://a b"}) {
    INFO(text);
    const auto refused = parse_url(text);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().kind == ErrorKind::config);
  }
}
