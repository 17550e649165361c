#include <catch2/catch.hpp>

#include <cmath>
#include <vector>

#include "libnlb/rollout/sticky.hpp"

using namespace nlb;
using namespace nlb::rollout;

namespace {

const SipKey salt = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

std::vector<std::uint32_t> buckets_of_loopback(const Sticky& sticky) {
  std::vector<std::uint32_t> buckets;
  for (std::uint32_t i = 0; i < 10000; ++i) buckets.push_back(sticky.bucket(IpAddress::v4(0x7f000001 + 257 * i)));
  return buckets;
}

std::size_t pick(std::uint32_t bucket, std::vector<std::uint32_t> weights) { return VersionPicker(weights).pick(bucket); }

}  // namespace

TEST_CASE("10,000 addresses split as the weights say, within 4 sigma") {
  const auto buckets = buckets_of_loopback(Sticky(salt, "web"));
  for (std::uint32_t weight : {100u, 500u, 1000u, 2500u, 5000u, 9000u}) {
    const double wanted = weight / 10000.0;
    double candidate = 0;
    for (auto bucket : buckets) candidate += bucket < weight;
    CHECK(std::abs(candidate / 10000 - wanted) <= 4 * std::sqrt(wanted * (1 - wanted) / 10000));
  }
}

TEST_CASE("a rising weight moves clients only from stable to the candidate") {
  const auto buckets = buckets_of_loopback(Sticky(salt, "web"));
  for (std::uint32_t weight = 0; weight < bucket_count; weight += 250) {
    const VersionPicker before(std::vector{bucket_count - weight, weight}), after(std::vector{bucket_count - weight - 250, weight + 250});
    for (auto bucket : buckets)
      if (before.pick(bucket) == 1) REQUIRE(after.pick(bucket) == 1);
  }
}

TEST_CASE("two candidates grow at stable's expense alone") {
  for (std::uint32_t bucket = 0; bucket < bucket_count; ++bucket) {
    const auto before = pick(bucket, {0, 1000, 3000}), after = pick(bucket, {0, 2000, 3000}), other = pick(bucket, {0, 1000, 5000});
    if (before != 0) REQUIRE((after == before && other == before));
  }
}

TEST_CASE("every bucket has exactly the share that the weights give it") {
  std::vector<int> counts(4);
  for (std::uint32_t bucket = 0; bucket < bucket_count; ++bucket) ++counts[pick(bucket, {0, 1000, 3000, 500})];
  CHECK(counts == std::vector<int>{5500, 1000, 3000, 500});
  CHECK(pick(9999, {0, 10000}) == 1);
  CHECK(pick(0, {10000, 0}) == 0);
  CHECK(pick(9999, {0, 8000, 8000}) == 2);   // too much: the last is cut
}

TEST_CASE("another salt or service sends other clients first") {
  const auto one = buckets_of_loopback(Sticky(salt, "web")), service = buckets_of_loopback(Sticky(salt, "api"));
  auto salt_two = salt;
  salt_two[0] ^= 1;
  const auto other = buckets_of_loopback(Sticky(salt_two, "web"));
  int both_services = 0, both_salts = 0;
  for (std::size_t i = 0; i < one.size(); ++i) {
    both_services += one[i] < 1000 && service[i] < 1000;
    both_salts += one[i] < 1000 && other[i] < 1000;
  }
  CHECK(both_services < 150);   // 100 expected of independent choices
  CHECK(both_salts < 150);
}

TEST_CASE("a mask keeps a network together, a port splits a client") {
  const Sticky networks(salt, "web", {24, 56});
  CHECK(networks.client_key(*parse_ip("10.1.2.3")) == networks.client_key(*parse_ip("10.1.2.200")));
  CHECK(networks.client_key(*parse_ip("10.1.2.3")) != networks.client_key(*parse_ip("10.1.3.3")));
  CHECK(networks.client_key(*parse_ip("2001:db8:0:1::1")) == networks.client_key(*parse_ip("2001:db8:0:ff::9")));
  CHECK(networks.client_key(*parse_ip("2001:db8:0:100::1")) != networks.client_key(*parse_ip("2001:db8:0:1::1")));
  const Sticky sticky(salt, "web");
  CHECK(sticky.client_key(*parse_ip("10.1.2.3"), 1000) != sticky.client_key(*parse_ip("10.1.2.3"), 1001));
}

TEST_CASE("the bucket of a client is the same for ever") {   // forwarders of different ages must agree
  CHECK(Sticky(salt, "web").bucket(*parse_ip("127.0.0.1")) == 2218);
}
