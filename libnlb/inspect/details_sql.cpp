// Users and databases: PostgreSQL's StartupMessage (documentation 55.7) and MySQL's greeting and handshake response (Connection Phase).
#include <algorithm>

#include "libnlb/inspect/details.hpp"

namespace nlb::inspect {

namespace {

enum : std::uint32_t {   // MySQL's capability flags
  client_connect_with_db = 0x8, client_protocol_41 = 0x200, client_ssl = 0x800, client_secure_connection = 0x8000,
  client_plugin_auth_lenenc = 0x200000
};
constexpr std::size_t packet_header_bytes = 4, response_fixed_bytes = 32, response_320_fixed_bytes = 5;

std::string_view request_name(Bytes b) {
  switch (load_be32(b, 4)) {
    case 80877102: return "cancel";
    case 80877103: return "ssl";
    case 80877104: return "gssenc";
    default: return {};
  }
}

// The bytes of a packet after its header; `whole` when they are all there.
struct Payload {
  Bytes bytes;
  bool whole;
};

Payload payload_of(Bytes b) {
  if (b.size() < packet_header_bytes) return {{}, false};
  const std::size_t length = load_le24(b, 0), there = b.size() - packet_header_bytes;
  return {b.subspan(packet_header_bytes, std::min(length, there)), there >= length};
}

// The password's proof, whose length is written in one of three ways. False when it is cut.
bool skip_proof(Bytes& b, std::uint32_t flags) {
  if ((flags & (client_plugin_auth_lenenc | client_secure_connection)) == 0) return take_zero_ended(b).found;
  if (b.empty()) return false;
  std::size_t length = b[0], width = 1;
  if ((flags & client_plugin_auth_lenenc) != 0 && length >= 0xfb) {   // a length-encoded integer of 2 bytes; longer makes no sense
    if (length != 0xfc || b.size() < 3) return false;
    length = b[1] | static_cast<std::size_t>(b[2]) << 8;
    width = 3;
  }
  if (b.size() < width + length) return false;
  b = b.subspan(width + length);
  return true;
}

void read_response(Bytes b, Details& details) {
  const bool modern = b.size() >= 2 && (load_be16(b, 0) & 0x0002) != 0;   // 0x200 lies in the second byte
  const std::size_t fixed = modern ? response_fixed_bytes : response_320_fixed_bytes;
  if (b.size() < fixed) return;
  const std::uint32_t flags = modern ? load_le32(b, 0) : b[0] | std::uint32_t{b[1]} << 8;
  if ((flags & client_ssl) != 0 && b.size() == fixed) {
    details.command = "ssl";
    return;
  }
  b = b.subspan(fixed);
  const auto user = take_zero_ended(b);
  if (user.found) details.user = user.text;
  if (user.found && (flags & client_connect_with_db) != 0 && skip_proof(b, flags)) details.database = take_zero_ended(b).text;
}

}  // namespace

Details postgresql_details(Bytes b) {
  Details details;
  while (b.size() >= 8) {   // an SSLRequest that is refused is followed by a StartupMessage on the same connection
    const auto name = request_name(b);
    if (name.empty()) break;
    details.command = name;
    details.complete = true;   // the client waits for an answer
    b = b.subspan(8);
    if (name == "cancel") return details;
    if (!b.empty() && b[0] == 22) {
      const Details hello = tls_details(b);
      details.sni = hello.sni;
      details.alpn = hello.alpn;
      details.complete = hello.complete;
      return details;
    }
  }
  if (b.size() < 8) return details;
  const std::size_t length = load_be32(b, 0);
  details.complete = b.size() >= length;
  Bytes left = b.subspan(8, std::min(b.size(), std::max<std::size_t>(length, 8)) - 8);
  while (!left.empty() && left[0] != 0) {
    const auto name = take_zero_ended(left), value = take_zero_ended(left);
    if (!value.found) break;
    if (name.text == "user") details.user = value.text;
    if (name.text == "database") details.database = value.text;
    if (name.text == "application_name") details.application = value.text;
  }
  return details;
}

Details mysql_details(Bytes bytes, Speaker from) {
  Details details;
  Payload payload = payload_of(bytes);
  details.complete = payload.whole;
  if (from == Speaker::client) {
    read_response(payload.bytes, details);
  } else if (!payload.bytes.empty() && payload.bytes[0] == 0x0a) {
    payload.bytes = payload.bytes.subspan(1);
    const auto version = take_zero_ended(payload.bytes);
    if (version.found) details.server_version = version.text;
    details.complete = version.found || details.complete;
  }
  return details;
}

}  // namespace nlb::inspect
