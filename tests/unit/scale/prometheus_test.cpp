#include <catch2/catch.hpp>

#include "libnlb/scale/prometheus.hpp"

using namespace nlb::scale;

namespace {

constexpr std::string_view page =
    "# HELP nlb_active_connections Sessions\n# TYPE nlb_active_connections gauge\n"
    "nlb_active_connections{protocol=\"http\",module=\"a\"} 3\n"
    "nlb_active_connections{module=\"b, \\\"c\\\"\",protocol=\"http\"} 4.5 1700000000000\n"
    "nlb_active_connections{protocol=\"redis\",module=\"r\"} 100\r\n"
    "nlb_active_connections_peak 999\n"
    "# TYPE sessions counter\nsessions 1.5e3\n"
    "http_requests_total{code=\"200\"} 10\nhttp_requests_total{code=\"500\"} NaN\nbroken{a=\"x 5\nload +Inf\n";

}  // namespace

TEST_CASE("series with the labels asked for are added up, others aren't") {
  CHECK(scraped(page, "nlb_active_connections", {{"protocol", "http"}})->sum == 7.5);
  CHECK(scraped(page, "nlb_active_connections", {})->sum == 107.5);
  CHECK(scraped(page, "nlb_active_connections", {{"module", "b, \"c\""}})->sum == 4.5);
  CHECK_FALSE(scraped(page, "nlb_active_connections", {{"protocol", "mysql"}}));
  CHECK_FALSE(scraped(page, "nlb_active", {}));
}

TEST_CASE("a counter is known by its type or by its name; damaged and infinite series are absent") {
  CHECK(scraped(page, "sessions", {})->counter);
  CHECK(scraped(page, "sessions", {})->sum == 1500);
  CHECK(scraped(page, "http_requests_total", {})->counter);
  CHECK(scraped(page, "http_requests_total", {})->sum == 10);
  CHECK_FALSE(scraped(page, "nlb_active_connections", {})->counter);
  CHECK_FALSE(scraped(page, "broken", {}));
  CHECK_FALSE(scraped(page, "load", {}));
  CHECK_FALSE(scraped("", "x", {}));
  for (std::size_t n = 0; n < page.size(); ++n) static_cast<void>(scraped(page.substr(0, n), "nlb_active_connections", {{"protocol", "http"}}));
}
