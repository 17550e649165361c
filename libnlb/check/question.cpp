#include "libnlb/check/question.hpp"

#include <array>
#include <cstring>

#include "libnlb/core/bytes.hpp"

namespace nlb::check {

namespace {

using namespace std::string_view_literals;

Step good(std::string last_word = {}) { return {Verdict::good, std::move(last_word), {}}; }
Step bad(std::string why) { return {Verdict::bad, {}, std::move(why)}; }
Step say(std::string bytes) { return {Verdict::more, std::move(bytes), {}}; }

std::string first_line(std::string_view bytes) {
  std::string out;
  for (const char c : bytes.substr(0, 80)) {
    if (c == '\r' || c == '\n') break;
    out += c >= ' ' && c < 127 ? c : '.';
  }
  return out;
}

std::string le32(std::uint32_t v) {
  return {static_cast<char>(v), static_cast<char>(v >> 8), static_cast<char>(v >> 16), static_cast<char>(v >> 24)};
}

// OP_MSG (mongodb wire protocol): header, flags, section kind 0, {hello: 1, $db: "admin"} in BSON.
std::string mongo_hello() {
  const auto body = "\x10hello\0\x01\0\0\0\x02$db\0\x06\0\0\0admin\0\0"sv;
  const auto document = le32(static_cast<std::uint32_t>(body.size() + 4)) + std::string(body);
  const auto rest = le32(1) + le32(0) + le32(2013) + le32(0) + std::string(1, '\0') + document;
  return le32(static_cast<std::uint32_t>(rest.size() + 4)) + rest;
}

// A login of a user that isn't there: HandshakeResponse41 with an empty answer to the challenge.
std::string mysql_login(std::uint8_t sequence) {
  constexpr std::uint32_t capabilities = 0x1 | 0x200 | 0x8000 | 0x80000;      // long password, protocol 41, secure connection, plugin auth
  auto body = le32(capabilities) + le32(1 << 24) + std::string(1, '\x21') + std::string(23, '\0') + std::string("nlb-health-check\0\0mysql_native_password\0"sv);
  const auto n = static_cast<std::uint32_t>(body.size());
  return std::string{static_cast<char>(n), static_cast<char>(n >> 8), static_cast<char>(n >> 16), static_cast<char>(sequence)} + body;
}

// A TLS 1.2 and 1.3 ClientHello without extensions that any server can at least refuse (RFC 8446 section 4.1.2).
std::string client_hello() {
  std::string hello("\x03\x03", 2);
  for (int i = 0; i < 32; ++i) hello += static_cast<char>(0x5a ^ (i * 37));
  hello += '\0';
  hello += "\0\x0e\xc0\x2b\xc0\x2f\xc0\x2c\xc0\x30\x00\x9c\x00\x2f\x13\x01\x01\x00"sv;
  const auto extensions = "\0\x0a\0\x04\0\x02\0\x17\0\x0d\0\x06\0\x04\x04\x03\x04\x01\0\x0b\0\x02\x01\0"sv;
  hello += static_cast<char>(extensions.size() >> 8);
  hello += static_cast<char>(extensions.size());
  hello += extensions;
  const auto n = hello.size();
  const auto message = std::string{'\x01', '\0', static_cast<char>(n >> 8), static_cast<char>(n)} + hello;
  const auto m = message.size();
  return std::string{'\x16', '\x03', '\x01', static_cast<char>(m >> 8), static_cast<char>(m)} + message;
}

Step redis(std::string_view bytes) {
  if (bytes.find('\n') == bytes.npos) return bytes.size() > 512 ? bad("redis: no answer to PING but \"" + first_line(bytes) + "\"") : Step{};
  for (const auto fine : {"+PONG"sv, "-NOAUTH"sv, "-NOPERM"sv})
    if (bytes.starts_with(fine)) return good();
  return bad("redis: " + first_line(bytes));
}

Step postgresql(std::string_view bytes) {
  if (bytes.empty()) return {};
  if (bytes[0] == 'S' || bytes[0] == 'N') return good();
  return bad(bytes[0] == 'E' ? "postgresql: it answered with an error" : "postgresql: the answer to SSLRequest is neither S nor N");
}

Step rtmp(std::string_view bytes) {
  if (bytes.empty()) return {};
  return bytes[0] == 3 ? good() : bad("rtmp: S0 has version " + std::to_string(static_cast<unsigned char>(bytes[0])) + ", not 3");
}

Step tls(std::string_view bytes) {
  if (bytes.size() < 3) return {};
  if ((bytes[0] == 22 || bytes[0] == 21) && bytes[1] == 3) return good();
  return bad("tls: the answer to a ClientHello is no TLS record");
}

Step mongodb(std::string_view bytes) {
  if (bytes.size() < 21) return {};
  const auto raw = as_bytes(bytes);
  const auto length = load_le32(raw, 0);
  if (load_le32(raw, 12) != 2013 || length < 26 || length > (48u << 20)) return bad("mongodb: the answer is no OP_MSG");
  const auto at = bytes.find("\x01ok\0"sv);
  if (at == bytes.npos || at + 12 > bytes.size()) return bytes.size() >= length ? bad("mongodb: the answer to hello has no ok") : Step{};
  double ok = 0;
  std::memcpy(&ok, bytes.data() + at + 4, sizeof ok);
  return ok == 1.0 ? good() : bad("mongodb: hello failed");
}

}  // namespace

Question::Question(Protocol protocol, registry::CheckKind kind, std::string target, std::string host)
    : protocol_(protocol), connect_only_(kind != registry::CheckKind::protocol || protocol == Protocol::unknown), target_(std::move(target)),
      host_(std::move(host)) {}

Step Question::begin() const {
  if (connect_only_) return good();
  switch (protocol_) {
    case Protocol::http:
      if (!target_.empty() && !registry::is_path(target_)) return bad("http: nothing was asked: the check's target is no path: register one such as /healthz");
      return say("GET " + (target_.empty() ? "/" : target_) + " HTTP/1.1\r\nHost: " + host_ + "\r\nUser-Agent: nlb-registry\r\nAccept: */*\r\nConnection: close\r\n\r\n");
    case Protocol::redis: return say("PING\r\n");
    case Protocol::postgresql: return say({'\0', '\0', '\0', '\x08', '\x04', '\xd2', '\x16', '\x2f'});
    case Protocol::mongodb: return say(mongo_hello());
    case Protocol::rtmp: return say('\x03' + std::string(1536, '\0'));
    case Protocol::tls: return say(client_hello());
    case Protocol::mysql: return {};
    case Protocol::unknown: return good();
  }
  return good();
}

Step Question::answer(std::string_view bytes) {
  switch (protocol_) {
    case Protocol::http: return http(bytes);
    case Protocol::redis: return redis(bytes);
    case Protocol::postgresql: return postgresql(bytes);
    case Protocol::mongodb: return mongodb(bytes);
    case Protocol::rtmp: return rtmp(bytes);
    case Protocol::tls: return tls(bytes);
    case Protocol::mysql: return mysql(bytes);
    case Protocol::unknown: return good();
  }
  return good();
}

Step Question::closed(std::string_view bytes) const {
  if (packets_ > 0) return good();      // mysql greeted and then closed: it works
  return bad(std::string(to_string(protocol_)) + (bytes.empty() ? ": closed without an answer" : ": closed in the middle of its answer"));
}

Step Question::http(std::string_view bytes) const {
  if (bytes.size() < 12) return "HTTP/1."sv.starts_with(bytes.substr(0, 7)) ? Step{} : bad("http: the answer is no HTTP: " + first_line(bytes));
  if (!bytes.starts_with("HTTP/1.")) return bad("http: the answer is no HTTP: " + first_line(bytes));
  const auto code = bytes.substr(9, 3);
  for (const char c : code)
    if (c < '0' || c > '9') return bad("http: no status in " + first_line(bytes));
  const bool fine = code[0] == '2' || code[0] == '3' || (target_.empty() && code[0] == '4');
  return fine ? good() : bad("http: " + first_line(bytes));
}

Step Question::mysql(std::string_view all) {
  const auto bytes = all.substr(used_);
  if (bytes.size() < 5) return {};
  const auto raw = as_bytes(bytes);
  const auto length = load_le24(raw, 0);
  const auto kind = raw[4];
  if (packets_ == 0 && kind == 0xff) return bad("mysql: " + (length > 9 && bytes.size() > 13 ? first_line(bytes.substr(7)) : std::string("it refuses connections")));
  if (packets_ == 0 && (kind != 10 || length < 20)) return bad("mysql: no greeting of protocol 10");
  if (bytes.size() < 4 + length) return {};
  used_ += 4 + length;
  const auto sequence = static_cast<std::uint8_t>(raw[3] + 1);
  if (packets_++ == 0) return say(mysql_login(sequence));
  if (kind == 0xfe && packets_ == 2) return say({'\0', '\0', '\0', static_cast<char>(sequence)});      // another method: an empty answer
  if (kind == 0x00) return good({'\x01', '\0', '\0', '\0', '\x01'});                                   // let in after all: COM_QUIT
  return good();
}

}  // namespace nlb::check
