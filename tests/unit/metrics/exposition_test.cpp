#include <catch2/catch.hpp>

#include <set>
#include <string>

#include "libnlb/metrics/exposition.hpp"

using namespace nlb;
using namespace nlb::metrics;

namespace {
bool lower_snake(std::string_view text) {
  return !text.empty() && text.find_first_not_of("abcdefghijklmnopqrstuvwxyz_") == std::string_view::npos;
}
}  // namespace

TEST_CASE("the names that dashboards know are there with their labels") {
  const auto labels = [](std::string_view name) {
    const Metric* m = find(name);
    REQUIRE(m);
    std::string text;
    for (std::size_t i = 0; i < m->label_count(); ++i) text += (i ? "," : "") + std::string(m->labels[i]);
    return text;
  };
  CHECK(labels("nlb_routed_connections_total") == "protocol,module");
  CHECK(labels("nlb_routing_errors_total") == "protocol,error_type");
  CHECK(labels("nlb_active_connections") == "protocol,module");
  CHECK(labels("nlb_ratelimit_allowed_total") == "protocol,bucket");
  CHECK(labels("nlb_ratelimit_denied_total") == "protocol,bucket");
  CHECK(labels("nlb_ratelimit_tokens_available") == "protocol,bucket");
  CHECK(labels("nlb_scale_operations_total") == "protocol,direction");
  CHECK(labels("nlb_current_replicas") == "protocol");
  CHECK(labels("nlb_scale_decisions_total") == "protocol,decision");
  CHECK(labels("nlb_bluegreen_traffic_split") == "protocol,version,color");
  CHECK(labels("nlb_bluegreen_deployments_total") == "protocol,status");
  CHECK(labels("nlb_bluegreen_rollbacks_total").empty());
}

TEST_CASE("names are unique and end in what they are") {
  std::set<std::string_view> names;
  for (const Metric* m : all) {
    CAPTURE(m->name);
    CHECK(names.insert(m->name).second);
    CHECK((lower_snake(m->name) && m->name.starts_with("nlb_")));
    CHECK(m->name.ends_with("_total") == (m->type == Type::counter));
    if (m->type == Type::histogram) CHECK(m->name.ends_with("_seconds"));
    CHECK(m->help.ends_with('.'));
    CHECK_FALSE(m->program.empty());
    for (std::size_t i = 0; i < m->label_count(); ++i) CHECK(lower_snake(m->labels[i]));
    CHECK(documentation().find(std::string(m->name)) != std::string::npos);
  }
}

TEST_CASE("the text is ordered, complete and escaped, whatever the order of adding") {
  Snapshot one, other;
  one.add(routed_connections, {"http", "web-2"}, 7);
  one.add(routed_connections, {"http", "a\"b\\c\n"}, 1);
  one.add(bluegreen_rollbacks, {}, 2);
  other.add(bluegreen_rollbacks, {}, 2);
  other.add(routed_connections, {"http", "a\"b\\c\n"}, 1);
  other.add(routed_connections, {"http", "web-2"}, 7);
  const std::string expected =
      "# HELP nlb_bluegreen_rollbacks_total Rollouts that were rolled back.\n"
      "# TYPE nlb_bluegreen_rollbacks_total counter\n"
      "nlb_bluegreen_rollbacks_total 2\n"
      "# HELP nlb_routed_connections_total Sessions given to a module.\n"
      "# TYPE nlb_routed_connections_total counter\n"
      "nlb_routed_connections_total{protocol=\"http\",module=\"a\\\"b\\\\c\\n\"} 1\n"
      "nlb_routed_connections_total{protocol=\"http\",module=\"web-2\"} 7\n";
  CHECK(exposition(one) == expected);
  CHECK(exposition(other) == expected);
  CHECK(exposition({}).empty());
}

TEST_CASE("samples with the same labels are added up") {
  Snapshot s;
  s.add(current_replicas, {"http"}, 3);
  s.add(current_replicas, {"http"}, 4);
  CHECK(exposition(s).find("nlb_current_replicas{protocol=\"http\"} 7\n") != std::string::npos);
}

TEST_CASE("counters keep every digit") {
  Snapshot s;
  s.add(bytes_relayed, {"http", "a", "up"}, std::uint64_t{123456789012345});
  CHECK(exposition(s).find("} 123456789012345\n") != std::string::npos);
}

TEST_CASE("histograms are cumulative at exact bounds") {
  Histogram h;
  h.record(50us, 2);
  h.record(100us, 3);
  h.record(10s);
  h.record(100h);
  Snapshot s;
  s.add(detection_duration, {"http"}, h);
  const auto text = exposition(s);
  CAPTURE(text);
  CHECK(text.find("nlb_detection_duration_seconds_bucket{protocol=\"http\",le=\"6.4") != std::string::npos);
  CHECK(text.find("le=\"+Inf\"} 7\n") != std::string::npos);
  CHECK(text.find("nlb_detection_duration_seconds_count{protocol=\"http\"} 7\n") != std::string::npos);
  const auto count_at = [&](std::string_view bound) {
    const auto at = text.find("le=\"" + std::string(bound));
    REQUIRE(at != std::string::npos);
    return std::stoi(text.substr(text.find("} ", at) + 2));
  };
  CHECK(count_at("6.4") == 2);
  CHECK(count_at("0.000128") == 5);
  CHECK(count_at("16.777216") == 6);
  for (const auto bound : exported_bounds_us()) CHECK(bucket_start_us(bucket_of(bound * 1us)) == bound);
}
