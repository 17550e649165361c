#include <catch2/catch.hpp>

#include "libnlb/metrics/merge.hpp"

using nlb::metrics::merge_texts;

TEST_CASE("counters and histograms of several processes are added up by series") {
  const std::string one = "# HELP nlb_a_total x\n# TYPE nlb_a_total counter\nnlb_a_total{m=\"1\"} 3\nnlb_h_bucket{le=\"1\"} 1\nnlb_h_sum 0.5\nnlb_h_count 1\n";
  const std::string two = "# HELP nlb_a_total x\n# TYPE nlb_a_total counter\nnlb_a_total{m=\"1\"} 4\nnlb_a_total{m=\"2\"} 9\nnlb_h_bucket{le=\"1\"} 2\nnlb_h_sum 0.25\nnlb_h_count 2\n";
  CHECK(merge_texts({one, two}) ==
        "# HELP nlb_a_total x\n# TYPE nlb_a_total counter\nnlb_a_total{m=\"1\"} 7\nnlb_a_total{m=\"2\"} 9\n"
        "nlb_h_bucket{le=\"1\"} 3\nnlb_h_sum 0.75\nnlb_h_count 3\n");
}

TEST_CASE("gauges that say a state keep the greatest value") {
  CHECK(merge_texts({"nlb_build_info{v=\"1\"} 1\nnlb_bus_age_seconds{o=\"r\"} 0.5\n", "nlb_build_info{v=\"1\"} 1\nnlb_bus_age_seconds{o=\"r\"} 2\n"}) ==
        "nlb_build_info{v=\"1\"} 1\nnlb_bus_age_seconds{o=\"r\"} 2\n");
}

TEST_CASE("label values with spaces and large counts survive, and nothing gives nothing") {
  CHECK(merge_texts({"nlb_a_total{m=\"a b\"} 9007199254740991\n"}) == "nlb_a_total{m=\"a b\"} 9007199254740991\n");
  CHECK(merge_texts({}).empty());
}
