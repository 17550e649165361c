// The golden bytes of every message on the bus: what another program, in another language, may rely on.
#include <catch2/catch.hpp>

#include <fstream>
#include <sstream>

#include <google/protobuf/text_format.h>
#include <google/protobuf/util/message_differencer.h>

#include "libnlb/bus/codec_topic.hpp"
#include "libnlb/core/bytes.hpp"
#include "nlb/v1/bus.pb.h"

namespace pb = google::protobuf;
using namespace nlb;

namespace {

struct Golden { std::string text, hex; };

std::map<std::string, Golden> golden_messages() {
  std::map<std::string, Golden> all;
  std::ifstream file(NLB_TEST_DATA "/bus/messages.tsv");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with('#')) continue;
    std::istringstream row(line);
    std::string name;
    Golden golden;
    std::getline(row, name, '\t');
    std::getline(row, golden.text, '\t');
    std::getline(row, golden.hex, '\t');
    all[name] = golden;
  }
  return all;
}

std::unique_ptr<pb::Message> make(const std::string& name) {
  (void)v1::Beat::default_instance();          // the file's descriptors are there once one of its messages is
  const auto* type = pb::DescriptorPool::generated_pool()->FindMessageTypeByName("nlb.v1." + name);
  return type ? std::unique_ptr<pb::Message>(pb::MessageFactory::generated_factory()->GetPrototype(type)->New()) : nullptr;
}

std::string every_field_is_set(const pb::Message& message) {      // empty, or which isn't
  const auto& reflection = *message.GetReflection();
  for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
    const auto* field = message.GetDescriptor()->field(i);
    const bool set = field->is_repeated() ? reflection.FieldSize(message, field) > 0 : reflection.HasField(message, field);
    if (!set) return field->full_name();
    if (field->cpp_type() != pb::FieldDescriptor::CPPTYPE_MESSAGE) continue;
    const auto& inner = field->is_repeated() ? reflection.GetRepeatedMessage(message, field, 0) : reflection.GetMessage(message, field);
    if (auto missing = every_field_is_set(inner); !missing.empty()) return missing;
  }
  return {};
}

}  // namespace

TEST_CASE("every message of the bus has its golden bytes, both ways, with every field in it") {
  const auto all = golden_messages();
  for (const auto& row : bus::topic_classes) CHECK(all.contains(std::string(row.payload)));
  for (const auto* name : {"SyncRequest", "SyncChunk", "Follow"}) CHECK(all.contains(name));
  for (const auto& [name, golden] : all) {
    INFO(name);
    const auto said = make(name), read = make(name);
    REQUIRE(said);
    REQUIRE(pb::TextFormat::ParseFromString(golden.text, said.get()));
    CHECK(to_hex(as_bytes(said->SerializeAsString())) == golden.hex);
    const auto bytes = from_hex(golden.hex);
    REQUIRE(bytes.has_value());
    REQUIRE(read->ParseFromArray(bytes->data(), static_cast<int>(bytes->size())));
    CHECK(pb::util::MessageDifferencer::Equals(*said, *read));
    CHECK(every_field_is_set(*read) == "");
  }
}
