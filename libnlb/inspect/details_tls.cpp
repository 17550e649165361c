// SNI (RFC 6066 section 3) and ALPN (RFC 7301 section 3.1) of a hello. Views need the hello in one piece, so what lies in a second record
// (a hello above 16 KiB, or one cut on purpose) is not read.
#include <algorithm>

#include "libnlb/inspect/details.hpp"

namespace nlb::inspect {

namespace {

constexpr std::size_t record_header_bytes = 5, handshake_header_bytes = 4, version_and_random_bytes = 34;
constexpr std::uint8_t client_hello = 1;
constexpr std::uint16_t extension_server_name = 0, extension_alpn = 16;

// Takes bytes off the front and remembers whether there were enough.
class Cursor {
 public:
  explicit Cursor(Bytes bytes) : left_(bytes) {}
  Bytes take(std::size_t n) {
    cut_ = cut_ || n > left_.size();
    const Bytes taken = left_.first(std::min(n, left_.size()));
    left_ = left_.subspan(taken.size());
    return taken;
  }
  std::size_t number(std::size_t width) {
    std::size_t value = 0;
    for (const auto octet : take(width)) value = value << 8 | octet;
    return value;
  }
  Bytes vector(std::size_t length_width) {
    const std::size_t length = number(length_width);
    return cut_ ? Bytes{} : take(length);
  }
  bool empty() const { return left_.empty(); }
  bool cut() const { return cut_; }

 private:
  Bytes left_;
  bool cut_ = false;
};

// ServerNameList: the one name of type host_name.
std::string_view read_server_name(Bytes extension) {
  Cursor list(Cursor(extension).vector(2));
  while (!list.empty() && !list.cut()) {
    const auto type = list.number(1);
    const Bytes name = list.vector(2);
    if (type == 0 && !list.cut()) return as_text(name);
  }
  return {};
}

// ProtocolNameList: the first, which the client likes best. GREASE values (RFC 8701: two equal bytes xA xA) say nothing.
std::string_view read_alpn(Bytes extension) {
  Cursor list(Cursor(extension).vector(2));
  while (!list.empty() && !list.cut()) {
    const auto name = as_text(list.vector(1));
    const bool grease = name.size() == 2 && name[0] == name[1] && (name[0] & 0x0f) == 0x0a;
    if (!grease) return name;
  }
  return {};
}

void read_extensions(Cursor& hello, Details& details) {
  hello.number(2);
  while (!hello.empty() && !hello.cut()) {
    const auto type = hello.number(2);
    const Bytes body = hello.vector(2);
    if (hello.cut()) return;
    if (type == extension_server_name) details.sni = read_server_name(body);
    if (type == extension_alpn) details.alpn = read_alpn(body);
  }
}

}  // namespace

Details tls_details(Bytes bytes) {
  Details details;
  if (bytes.size() < record_header_bytes + handshake_header_bytes) return details;
  const std::size_t in_record = std::min<std::size_t>(load_be16(bytes, 3), bytes.size() - record_header_bytes);
  const bool record_whole = in_record == load_be16(bytes, 3);
  if (bytes[0] != 22 || in_record < handshake_header_bytes) return details.complete = record_whole, details;
  const bool from_client = bytes[record_header_bytes] == client_hello;
  const std::size_t length = load_be24(bytes, record_header_bytes + 1);
  const Bytes body = bytes.subspan(record_header_bytes + handshake_header_bytes, in_record - handshake_header_bytes);
  Cursor hello(body.first(std::min(length, body.size())));
  hello.take(version_and_random_bytes);
  hello.vector(1);                          // session id
  from_client ? hello.vector(2) : hello.take(2);   // cipher suites, or the one chosen
  from_client ? hello.vector(1) : hello.take(1);   // compression methods
  if (!hello.cut()) read_extensions(hello, details);
  details.complete = record_whole || length <= body.size();
  return details;
}

}  // namespace nlb::inspect
