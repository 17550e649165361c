// Walks the elements of a BSON document (bsonspec.org/spec.html, version 1.1) that may be cut anywhere. Views only, no allocation.
#pragma once

#include <optional>
#include <string_view>

#include "libnlb/core/bytes.hpp"

namespace nlb::inspect {

struct BsonElement {
  std::uint8_t type = 0;
  std::string_view name;
  Bytes value;           // shorter than its type wants when the bytes are cut
  bool whole = false;

  std::string_view text() const;   // a string's characters, empty for other types or when cut
  bool truth() const;              // a number or bool that isn't zero; precondition: whole
};

class BsonReader {
 public:
  explicit BsonReader(Bytes document) : left_(document.size() > 4 ? document.subspan(4) : Bytes{}) {}

  // The next element; nullopt at the end, at a type that isn't known, or where even the name is cut.
  std::optional<BsonElement> next();

 private:
  Bytes left_;
};

}  // namespace nlb::inspect
