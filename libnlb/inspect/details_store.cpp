// The first command of Redis and MongoDB, and MongoDB's database.
#include <algorithm>
#include <charconv>

#include "libnlb/inspect/bson.hpp"
#include "libnlb/inspect/details.hpp"

namespace nlb::inspect {

namespace {

enum : std::uint32_t { op_query = 2004, op_command = 2010, op_msg = 2013 };
constexpr std::size_t header_bytes = 16;

// The first key names the command. Old drivers wrap it: {$query: {find: ...}}.
void read_command(Bytes document, Details& details) {
  BsonReader reader(document);
  bool first = true;
  while (const auto element = reader.next()) {
    const bool wrapped = first && element->type == 0x03 && (element->name == "$query" || element->name == "query");
    if (wrapped) return read_command(element->value.first(std::min<std::size_t>(element->value.size(), 64)), details);
    if (first) details.command = element->name;
    if (element->name == "$db") details.database = element->text();
    first = false;
  }
}

// OP_MSG's sections: kind 1 (a sequence) is stepped over, kind 0 is the command.
void read_sections(Bytes b, Details& details) {
  while (b.size() > 5 && b[0] == 1) {
    const std::size_t bytes = std::size_t{1} + load_le32(b, 1);
    if (bytes >= b.size()) return;
    b = b.subspan(bytes);
  }
  if (b.size() > 5 && b[0] == 0) read_command(b.subspan(1), details);
}

void read_query(Bytes b, Details& details) {
  const auto collection = take_zero_ended(b);
  if (!collection.found) return;
  details.database = collection.text.substr(0, collection.text.find('.'));
  if (b.size() > 8) read_command(b.subspan(8), details);   // numberToSkip, numberToReturn
}

}  // namespace

Details mongodb_details(Bytes b) {
  Details details;
  if (b.size() < header_bytes + 5) return details;
  const std::size_t length = load_le32(b, 0);
  details.complete = b.size() >= length;
  Bytes body = b.subspan(header_bytes, std::max(std::min(b.size(), length), header_bytes + 5) - header_bytes);
  switch (load_le32(b, 12)) {
    case op_msg: read_sections(body.subspan(4), details); break;
    case op_query: read_query(body.subspan(4), details); break;
    case op_command: {
      const auto database = take_zero_ended(body), command = take_zero_ended(body);
      if (database.found) details.database = database.text;
      if (command.found) details.command = command.text;
      break;
    }
    default: break;
  }
  return details;
}

Details redis_details(Bytes bytes) {
  Details details;
  std::string_view text = as_text(bytes);
  text.remove_prefix(std::min(text.find_first_not_of("\r\n"), text.size()));
  if (!text.starts_with('*')) {
    const auto end = text.find_first_of(" \t\r\n");
    details.command = text.substr(0, end);
    details.complete = end != std::string_view::npos;
    return details;
  }
  const auto dollar = text.find('$');
  if (dollar == std::string_view::npos) return details;
  text.remove_prefix(dollar + 1);
  std::size_t length = 0;
  const auto end = std::from_chars(text.data(), text.data() + text.size(), length).ptr;
  text.remove_prefix(std::min<std::size_t>(static_cast<std::size_t>(end - text.data()) + 2, text.size()));
  details.complete = text.size() >= length;
  if (details.complete) details.command = text.substr(0, length);
  return details;
}

}  // namespace nlb::inspect
