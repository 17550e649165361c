#include "libnlb/inspect/first_answer.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

#include "libnlb/inspect/bson.hpp"
#include "libnlb/inspect/detector.hpp"
#include "libnlb/inspect/text.hpp"

namespace nlb::inspect {

namespace {

using enum FirstAnswer;

FirstAnswer judge_http(Bytes b) {
  const std::string_view text = as_text(b);
  constexpr std::size_t status_at = 9;   // behind "HTTP/1.1 "
  if (b[0] != 'H') {                     // an HTTP/2 frame: GOAWAY (type 7) tells an error code at byte 13
    if (b.size() < 4) return undecided;
    if (b[3] != 7) return ok;
    if (b.size() < 17) return undecided;
    return load_be32(b, 13) == 0 ? ok : error;
  }
  if (text.size() <= status_at || !is(digit_char, text[status_at])) return undecided;
  return text[status_at] == '5' ? error : ok;
}

FirstAnswer judge_tls(Bytes b) {
  if (b[0] != 21) return b[0] == 22 ? ok : error;
  if (b.size() < 6) return undecided;
  return b[5] == 2 ? error : ok;
}

FirstAnswer judge_mysql(Bytes b) {
  switch (check_greeting(b)) {
    case GreetingCheck::greeting: return ok;
    case GreetingCheck::more: return undecided;
    case GreetingCheck::error: case GreetingCheck::other: break;
  }
  return error;
}

// The value of field `code` in an ErrorResponse: a byte and a string ended by zero, again and again. nullopt while it hasn't come.
std::optional<std::string_view> error_field(std::string_view fields, char code) {
  while (!fields.empty() && fields[0] != 0) {
    const std::size_t end = fields.find('\0', 1);
    if (end == std::string_view::npos) return std::nullopt;
    if (fields[0] == code) return fields.substr(1, end - 1);
    fields.remove_prefix(end + 1);
  }
  if (fields.empty()) return std::nullopt;
  return std::string_view{};
}

FirstAnswer judge_postgresql(Bytes b) {
  if (b[0] != 'E') return std::string_view("RSNGvZK").find(static_cast<char>(b[0])) != std::string_view::npos ? ok : error;
  if (b.size() < 6) return undecided;
  const std::size_t end = std::min<std::size_t>(b.size(), std::size_t{1} + load_be32(b, 1));
  const auto state = error_field(as_text(b).substr(5, end > 5 ? end - 5 : 0), 'C');
  if (!state) return end < b.size() || b.size() >= details_bytes_max ? error : undecided;
  if (state->size() < 2) return error;
  const auto of = state->substr(0, 2);
  const bool the_clients = of == "28" || of == "3D" || (of >= "22" && of < "2F");
  return the_clients ? ok : error;
}

constexpr std::array<std::string_view, 11> fine_errors{"-NOAUTH", "-WRONGPASS", "-NOPERM", "-NOPROTO", "-WRONGTYPE", "-NOSCRIPT",
                                                       "-MOVED", "-ASK", "-CROSSSLOT", "-EXECABORT", "-BUSYGROUP"};

FirstAnswer judge_redis(Bytes b) {
  if (b[0] != '-') return ok;
  const std::string_view text = as_text(b);
  const std::size_t end = text.find_first_of(" \r\n");
  const auto word = text.substr(0, end);
  for (const auto fine : fine_errors) {
    if (end == std::string_view::npos && fine.starts_with(word)) return undecided;
    if (word == fine) return ok;
  }
  return error;
}

FirstAnswer judge_document(Bytes document) {
  BsonReader reader(document);
  while (const auto element = reader.next())
    if (element->name == "ok") return !element->whole ? undecided : element->truth() ? ok : error;
  return undecided;
}

FirstAnswer judge_mongodb(Bytes b) {
  if (b.size() < 21) return undecided;
  const std::uint32_t opcode = load_le32(b, 12);
  if (opcode == 2013) return b[20] == 0 ? judge_document(b.subspan(21)) : undecided;
  if (opcode != 1) return undecided;
  if ((load_le32(b, 16) & 2) != 0) return error;   // QueryFailure
  return b.size() < 36 ? undecided : judge_document(b.subspan(36));
}

}  // namespace

FirstAnswer judge_first_answer(Protocol protocol, Bytes b) {
  if (b.empty()) return undecided;
  switch (protocol) {
    case Protocol::http: return judge_http(b);
    case Protocol::tls: return judge_tls(b);
    case Protocol::mysql: return judge_mysql(b);
    case Protocol::postgresql: return judge_postgresql(b);
    case Protocol::mongodb: return judge_mongodb(b);
    case Protocol::redis: return judge_redis(b);
    case Protocol::rtmp: return b[0] == 3 || b[0] == 6 ? ok : error;
    case Protocol::unknown: break;
  }
  return undecided;
}

}  // namespace nlb::inspect
