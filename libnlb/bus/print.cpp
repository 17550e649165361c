#include "libnlb/bus/print.hpp"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <google/protobuf/util/json_util.h>
#include <nlohmann/json.hpp>

#include "libnlb/bus/codec_topic.hpp"
#include "nlb/v1/bus.pb.h"

namespace nlb::bus {

namespace {

using google::protobuf::DescriptorPool;
using google::protobuf::MessageFactory;

std::unique_ptr<google::protobuf::Message> message_of(std::string_view topic_class) {
  v1::Beat::default_instance();      // links bus.proto, and with it module.proto, into the generated pool
  const auto* known = find_class(topic_class);
  if (known == nullptr) return nullptr;
  const auto* type = DescriptorPool::generated_pool()->FindMessageTypeByName("nlb.v1." + std::string(known->payload));
  return type ? std::unique_ptr<google::protobuf::Message>(MessageFactory::generated_factory()->GetPrototype(type)->New()) : nullptr;
}

std::string body_of(const Message& message) {
  const auto body = message_of(class_of(message.topic));
  if (!body || !body->ParseFromString(*message.payload)) return {};
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  options.always_print_primitive_fields = true;
  std::string json;
  return google::protobuf::util::MessageToJsonString(*body, &json, options).ok() ? json : std::string();
}

}  // namespace

std::string to_json(const Message& message) {
  const auto& h = message.header;
  nlohmann::ordered_json line = {{"topic", message.topic}, {"class", class_of(message.topic)}, {"epoch", h.epoch}, {"seq", h.seq},
                                 {"owner", h.owner}, {"age_ms", h.age_ms}, {"gone", h.has(tombstone)}};
  if (!message.payload) return line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  if (const auto body = body_of(message); !body.empty()) {
    line["body"] = nlohmann::ordered_json::parse(body, nullptr, false);
  } else {
    const auto bytes = as_bytes(*message.payload);
    line["payload_bytes"] = bytes.size();
    line["payload_hex"] = to_hex(bytes.first(std::min<std::size_t>(bytes.size(), 64)));
  }
  return line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace nlb::bus
