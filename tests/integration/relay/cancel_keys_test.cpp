#include <catch2/catch.hpp>

#include "libnlb/relay/shared.hpp"

using namespace nlb::relay;

TEST_CASE("cancellation keys travel to the next process and are forgotten as a whole") {
  CancelKeys old;
  int session = 0;
  old.learn(0xfedcba9876543210, &session, {"postgresql", "pg-1"});
  old.inherit({{7, {"postgresql", "pg-2"}}});
  CancelKeys fresh;
  fresh.inherit(decode_keys(encode_keys(old.all())));
  CHECK(fresh.find(0xfedcba9876543210).value().module == "pg-1");
  CHECK(fresh.find(7).value().module == "pg-2");
  fresh.learn(7, &session, {"postgresql", "pg-3"});
  CHECK(fresh.find(7).value().module == "pg-3");   // its own come first
  fresh.forget(&session);
  fresh.inherit({});
  CHECK_FALSE(fresh.find(7));
}

TEST_CASE("bytes that are no cancellation keys are none") {
  const auto good = encode_keys({{1, {"a", "b"}}, {2, {"c", "d"}}});
  CHECK(decode_keys(good).size() == 2);
  for (std::size_t n = 0; n < good.size(); ++n) CHECK(decode_keys(good.substr(0, n)).empty());
  for (const char* text : {"", "x", "\x81\x83\x01\x61\x61\x02", "\x81\x82\x01\x61\x61"}) CHECK(decode_keys(text).empty());
}
