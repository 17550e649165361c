// MongoDB's wire protocol: a header of four little-endian integers (length, request id, response to, opcode), then the body of its opcode.
// PPTP, DCE-RPC and Skinny carry numbers that pass for an opcode; the length's range, "response to" (0 from clients, -1 from old C#
// drivers), the flags and the first section's kind tell.
#include <algorithm>

#include "libnlb/inspect/recognisers.hpp"
#include "libnlb/inspect/text.hpp"

namespace nlb::inspect {

namespace {

constexpr std::uint32_t message_bytes_min = 16, message_bytes_max = 48'000'000;   // maxMessageSizeBytes
constexpr std::uint32_t message_flags = 0x10003;     // checksumPresent, moreToCome, exhaustAllowed; unknown low bits must be refused
constexpr std::uint32_t query_flags_max = 0xff;
constexpr std::uint8_t compressor_max = 3;           // noop, snappy, zlib, zstd

enum Opcode : std::uint32_t {
  op_reply = 1, op_update = 2001, op_insert = 2002, op_query = 2004, op_get_more = 2005, op_delete = 2006,
  op_command = 2010, op_command_reply = 2011, op_compressed = 2012, op_msg = 2013
};

// Where the body's deciding bytes end, by opcode; 0 for an opcode that doesn't open a conversation.
constexpr std::size_t request_bytes(std::uint32_t opcode) {
  switch (opcode) {
    case op_update: case op_insert: case op_query: case op_get_more: case op_delete: case op_msg: return 21;
    case op_command: return 17;
    case op_compressed: return 25;
    default: return 0;
  }
}

constexpr Rule request_rule(std::uint32_t opcode) {
  switch (opcode) {
    case op_msg: return Rule::mongodb_message;
    case op_query: return Rule::mongodb_query;
    case op_compressed: return Rule::mongodb_compressed;
    case op_command: return Rule::mongodb_command;
    default: return Rule::mongodb_write;
  }
}

bool section_fits(Bytes b) { return (load_le32(b, 16) & ~message_flags) == 0 && b[20] <= 1; }
bool compressed_fits(Bytes b) {
  const std::uint32_t inside = load_le32(b, 16);
  return (inside == op_msg || inside == op_query || inside == op_command || inside == op_reply) &&
         load_le32(b, 20) <= message_bytes_max && b[24] <= compressor_max;
}

bool body_fits(Bytes b, std::uint32_t opcode) {
  switch (opcode) {
    case op_msg: return section_fits(b);
    case op_query: return load_le32(b, 16) <= query_flags_max && is(visible_char, b[20]);
    case op_insert: return load_le32(b, 16) <= 1 && is(visible_char, b[20]);
    case op_update: case op_get_more: case op_delete: return load_le32(b, 16) == 0 && is(visible_char, b[20]);
    case op_command: return is(visible_char, b[16]);
    default: return compressed_fits(b);
  }
}

constexpr std::size_t reply_bytes(std::uint32_t opcode) {
  return opcode == op_reply ? 36 : opcode == op_compressed ? 25 : 21;
}

bool reply_fits(Bytes b, std::uint32_t opcode) {
  switch (opcode) {
    case op_msg: return section_fits(b);
    case op_compressed: return compressed_fits(b);
    case op_reply: return load_le32(b, 16) <= 0x0f && load_le32(b, 28) == 0;   // responseFlags, startingFrom
    default: return load_le32(b, 16) <= load_le32(b, 0) - 16 && b[20] != 0 && b[20] <= 0x13;   // BSON: length, first type
  }
}

// The header up to the opcode. `decided` is where it failed, 0 while it fits.
std::size_t header_misfit(Bytes b, bool from_client) {
  if (b.size() >= 4) {
    const std::uint32_t length = load_le32(b, 0);
    if (length < message_bytes_min + 1 || length > message_bytes_max) return 4;
  }
  if (!from_client) return 0;
  for (std::size_t i = 8; i < std::min<std::size_t>(b.size(), 12); ++i)
    if ((b[i] != 0 && b[i] != 0xff) || b[i] != b[8]) return i + 1;
  return 0;
}

// A TLS alert's header, "15 03 01..04 00 02", would be a first message of 64 to 262 KiB with a request id that ends in 2: left to TLS.
bool opens_alert(Bytes b) { return b[0] == 0x15 && b[1] == 3 && b[2] >= 1 && b[2] <= 4 && b[3] == 0; }

}  // namespace

Verdict mongodb_request(Bytes b) {
  constexpr Rule rule = Rule::mongodb_message;
  if (b.size() >= 4 && opens_alert(b)) {
    if (b.size() == 4) return more(rule, 5);
    if (b[4] == 2) return no_match(rule, 5);
  }
  if (const auto at = header_misfit(b, true)) return no_match(rule, at);
  if (b.size() < 4) return more(rule, 4);
  if (b.size() < 12) return more(rule, std::max<std::size_t>(9, b.size() + 1));
  if (b.size() < 16) return more(rule, 16);
  const std::uint32_t opcode = load_le32(b, 12);
  const std::size_t decided = request_bytes(opcode);
  if (decided == 0 || load_le32(b, 0) < decided) return no_match(rule, 16);
  if (b.size() < decided) return more(request_rule(opcode), decided);
  return body_fits(b, opcode) ? match(Protocol::mongodb, request_rule(opcode), decided) : no_match(request_rule(opcode), decided);
}

Verdict mongodb_reply(Bytes b) {
  constexpr Rule rule = Rule::mongodb_reply;
  if (const auto at = header_misfit(b, false)) return no_match(rule, at);
  if (b.size() < 4) return more(rule, 4);
  if (b.size() < 16) return more(rule, 16);
  const std::uint32_t opcode = load_le32(b, 12);
  if (opcode != op_reply && opcode != op_msg && opcode != op_compressed && opcode != op_command_reply) return no_match(rule, 16);
  const std::size_t decided = reply_bytes(opcode);
  if (load_le32(b, 0) < decided) return no_match(rule, 16);
  if (b.size() < decided) return more(rule, decided);
  return reply_fits(b, opcode) ? match(Protocol::mongodb, rule, decided) : no_match(rule, decided);
}

}  // namespace nlb::inspect
