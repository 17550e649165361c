#include "libnlb/inspect/bson.hpp"

#include <algorithm>

namespace nlb::inspect {

namespace {

enum : std::uint8_t { bson_double = 0x01, bson_string = 0x02, bson_bool = 0x08, bson_int32 = 0x10, bson_int64 = 0x12 };

// Bytes of a value of `type`; nullopt for a type that can't be stepped over. A cut length counts as more than is there.
std::optional<std::size_t> value_bytes(std::uint8_t type, Bytes value) {
  const auto counted = [&](std::size_t extra) { return value.size() < 4 ? value.size() + 1 : load_le32(value, 0) + extra; };
  switch (type) {
    case bson_double: case 0x09: case 0x11: case bson_int64: return 8;
    case bson_string: case 0x0d: case 0x0e: return counted(4);
    case 0x03: case 0x04: case 0x0f: return counted(0);
    case 0x05: return counted(5);
    case 0x06: case 0x0a: case 0x7f: case 0xff: return 0;
    case 0x07: return 12;
    case bson_bool: return 1;
    case bson_int32: return 4;
    case 0x13: return 16;
    default: return std::nullopt;
  }
}

}  // namespace

std::string_view BsonElement::text() const {
  if (type != bson_string || !whole || value.size() < 5) return {};
  return as_text(value.subspan(4, value.size() - 5));
}

bool BsonElement::truth() const {
  if (type != bson_double && type != bson_bool && type != bson_int32 && type != bson_int64) return false;
  for (std::size_t i = 0; i < value.size(); ++i)
    if ((type == bson_double && i == 7 ? value[i] & 0x7f : value[i]) != 0) return true;   // -0.0 is zero
  return false;
}

std::optional<BsonElement> BsonReader::next() {
  if (left_.empty() || left_[0] == 0) return std::nullopt;
  const auto text = as_text(left_);
  const std::size_t name_end = text.find('\0', 1);
  if (name_end == std::string_view::npos) return std::nullopt;
  BsonElement element{left_[0], text.substr(1, name_end - 1), {}, false};
  const Bytes rest = left_.subspan(name_end + 1);
  const auto bytes = value_bytes(element.type, rest);
  if (!bytes) {
    left_ = {};
    return element;
  }
  element.whole = *bytes <= rest.size();
  element.value = rest.first(std::min(*bytes, rest.size()));
  left_ = rest.subspan(element.value.size());
  return element;
}

}  // namespace nlb::inspect
