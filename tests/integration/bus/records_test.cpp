// Values to protobuf and back, the golden bytes of the bus's messages, and how any message prints.
#include <catch2/catch.hpp>

#include <nlohmann/json.hpp>

#include "libnlb/bus/codec_topic.hpp"
#include "libnlb/bus/print.hpp"
#include "libnlb/bus/records.hpp"
#include "nlb/v1/bus.pb.h"
#include "tests/support/registry_records.hpp"

using namespace nlb;
using namespace nlb::bus;

TEST_CASE("a module record survives the wire whole") {
  auto module = nlb::testing::record("web-1");
  module.control = *parse_endpoint("[::1]:50051");
  module.weight = 0;
  module.colour = "green";
  module.labels = {{"rack", "7"}};
  module.send_proxy = registry::SendProxy::v2;
  module.check.kind = registry::CheckKind::grpc;
  module.incarnation = 42;
  module.state = {registry::Phase::draining, registry::Health::degraded, "slow"};
  const auto back = from_proto(to_proto(module));
  REQUIRE(back.has_value());
  CHECK(*back == module);
}

TEST_CASE("a registration with nothing but the essentials gets the defaults") {
  v1::Module message;
  message.set_name("web-1");
  message.set_protocol(v1::PROTOCOL_HTTP);
  message.set_data_address("127.0.0.1:80");
  const auto module = from_proto(message);
  REQUIRE(module.has_value());
  CHECK(module->service == "http");
  CHECK(module->weight == 100);
  CHECK(module->check == registry::HealthSpec{});
  message.set_data_address("nonsense");
  REQUIRE_FALSE(from_proto(message).has_value());
  CHECK_THAT(from_proto(message).error().text, Catch::Matchers::StartsWith("module web-1: data_address: "));
}

TEST_CASE("a registration's numbers that stand for nothing are refused, and a newer one on the bus is the last that we know") {
  v1::Module good;
  good.set_name("web-1");
  good.set_protocol(v1::PROTOCOL_RTMP);
  good.set_data_address("127.0.0.1:80");
  REQUIRE(from_registration(good).has_value());
  const auto text_for = [&](auto change) {
    auto message = good;
    change(message);
    CHECK(from_proto(message).has_value());
    const auto refused = from_registration(message);
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().kind == ErrorKind::bad_input);
    return refused.error().text;
  };
  for (const int n : {3, -1, 2147483647})
    CHECK(text_for([&](v1::Module& m) { m.set_send_proxy(static_cast<v1::SendProxy>(n)); }) ==
          "send_proxy " + std::to_string(n) + " is not known: say one of none (0), v1 (1), v2 (2)");
  CHECK(text_for([](v1::Module& m) { m.mutable_check()->set_kind(static_cast<v1::CheckKind>(4)); }) ==
        "check.kind 4 is not known: say one of protocol (0), tcp (1), grpc (2), none (3)");
  CHECK_THAT(text_for([](v1::Module& m) { m.set_protocol(static_cast<v1::Protocol>(8)); }), Catch::Matchers::StartsWith("protocol 8 is not known: say one of http (1)"));
  good.set_protocol(v1::PROTOCOL_UNSPECIFIED);
  CHECK(from_registration(good).has_value());      // missing: the registry says so
}

TEST_CASE("a refusal quotes an address as far as a status has room") {
  v1::Module message;
  message.set_data_address(std::string(9000, 'x') + "\n");
  const auto text = from_registration(message).error().text;
  CHECK(text.size() < 400);
  CHECK_THAT(text, Catch::Matchers::Contains("xxx...'"));
}

TEST_CASE("beats, requests and chunks have their golden bytes and read back") {
  const Beat beat{300, {{"modules", 299}, {"splits", 300}}, 1s, "registry"};
  const auto beat_bytes = encode_beat(beat, "1");
  CHECK(to_hex(as_bytes(beat_bytes)) == "08ac02" "120c0a076d6f64756c657310ab02" "120b0a0673706c69747310ac02" "18e807" "22087265676973747279" "2a0131");
  CHECK(decode_beat(beat_bytes)->heads == beat.heads);
  const SyncRequest request{7, {"modules"}, 5, 6};
  CHECK(to_hex(as_bytes(encode_request(request))) == "0807" "12076d6f64756c6573" "1805" "2006");
  CHECK(*decode_request(encode_request(request)) == request);
  const MonoTime now{10s};
  SyncChunk chunk{0, 5, 11, 6, 0, true, true, {{"modules/a", make_payload("x"), 6, 0, now - 1s}, {"modules/b", nullptr, 5, 0, now}}, 2, 9};
  const auto chunk_bytes = encode_chunk(chunk, now) + request_id_field(7);
  CHECK(to_hex(as_bytes(chunk_bytes)) ==
        "1001" "1805" "2006" "3001" "3a13" "0a096d6f64756c65732f61" "1006" "20e807" "2a0178" "3a0f" "0a096d6f64756c65732f62" "1005" "1801" "4002" "4809" "0807");
  const auto back = decode_chunk(chunk_bytes, 11, now);
  REQUIRE(back.has_value());
  CHECK(back->id == 7);
  CHECK(back->entries[0].made_at == now - 1s);
  CHECK(back->entries[1].gone());
}

TEST_CASE("every class of the table prints its payload by field names") {
  for (const auto& row : topic_classes) {
    Message message{make_topic(row.name, {"x"}), {.epoch = 1, .seq = 2}, make_payload("")};
    const auto line = nlohmann::json::parse(to_json(message));
    INFO(row.name);
    CHECK(line.at("seq") == 2);
    CHECK(line.at("body").is_object());
  }
  const auto module = to_proto(nlb::testing::record("web-1")).SerializeAsString();
  const auto line = nlohmann::json::parse(to_json({"modules/web/web-1", {.seq = 3}, make_payload(module)}));
  CHECK(line.at("body").at("data_address") == "127.0.0.1:8080");
  const auto unknown = nlohmann::json::parse(to_json({"future/x", {}, make_payload("\xff\x01")}));
  CHECK(unknown.at("payload_hex") == "ff01");
}
