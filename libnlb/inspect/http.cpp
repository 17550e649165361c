// HTTP: a request line, the HTTP/2 preface, and what a server says first.
//
// A line is HTTP by its version, whatever its method (extension methods are any token). Without a version yet, the method and the target's
// first byte may be enough, because nobody else has them: then 24 bytes of target decide (long URLs, short snap lengths), and so does a
// malformed rest, which an HTTP server is right to answer with 400. SIP, RTSP and ICAP share methods and differ in the version;
// Redis shares GET, COPY, MOVE, UNLINK, ACL; NNTP shares HEAD with another kind of target.
#include <algorithm>
#include <optional>

#include "libnlb/inspect/recognisers.hpp"
#include "libnlb/inspect/text.hpp"

namespace nlb::inspect {

namespace {

enum class Proof : std::uint8_t {
  version,   // others have this method too: only the version proves HTTP
  path,      // HTTP's with a target that starts with /
  method,    // HTTP's with any target
};

struct Method {
  std::string_view name;
  Proof proof;
};

// IANA HTTP Method Registry, and NOTIFY, SUBSCRIBE, POLL and their kin of WebDAV servers. PRI is the preface's alone.
constexpr std::array methods{
    Method{"ACL", Proof::version}, Method{"BASELINE-CONTROL", Proof::method}, Method{"BIND", Proof::path},
    Method{"CHECKIN", Proof::path}, Method{"CHECKOUT", Proof::path}, Method{"CONNECT", Proof::version},
    Method{"COPY", Proof::version}, Method{"DELETE", Proof::path}, Method{"GET", Proof::path}, Method{"HEAD", Proof::path},
    Method{"LABEL", Proof::path}, Method{"LINK", Proof::path}, Method{"LOCK", Proof::path}, Method{"MERGE", Proof::path},
    Method{"MKACTIVITY", Proof::method}, Method{"MKCALENDAR", Proof::method}, Method{"MKCOL", Proof::method},
    Method{"MKREDIRECTREF", Proof::method}, Method{"MKWORKSPACE", Proof::method}, Method{"MOVE", Proof::version},
    Method{"OPTIONS", Proof::version}, Method{"ORDERPATCH", Proof::method}, Method{"PATCH", Proof::method},
    Method{"POST", Proof::method}, Method{"PROPFIND", Proof::method}, Method{"PROPPATCH", Proof::method},
    Method{"PUT", Proof::method}, Method{"QUERY", Proof::path}, Method{"REBIND", Proof::path}, Method{"REPORT", Proof::path},
    Method{"SEARCH", Proof::path}, Method{"TRACE", Proof::path}, Method{"UNBIND", Proof::path}, Method{"UNCHECKOUT", Proof::path},
    Method{"UNLINK", Proof::version}, Method{"UNLOCK", Proof::path}, Method{"UPDATE", Proof::path},
    Method{"UPDATEREDIRECTREF", Proof::method}, Method{"VERSION-CONTROL", Proof::method},
};

constexpr std::string_view preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
constexpr std::size_t preface_line_bytes = 14;   // up to its version; what differs before may be another request
constexpr std::size_t method_bytes_max = 32, target_proof_bytes = 24, version_bytes = 8;

Proof proof_of(std::string_view name) {
  for (const auto& method : methods)
    if (method.name[0] == name[0] && method.name == name) return method.proof;
  return Proof::version;
}

bool proves(std::string_view method, char target_first) {
  const Proof proof = proof_of(method);
  return proof == Proof::method || (proof == Proof::path && target_first == '/');
}

// HTTP/digit.digit at the front of `text`: 0 when it isn't, else how many bytes of it are there.
std::size_t version_bytes_at(std::string_view text) {
  constexpr std::string_view shape = "HTTP/0.0";
  std::size_t i = 0;
  for (; i < version_bytes && i < text.size(); ++i)
    if (shape[i] == '0' ? !is(digit_char, text[i]) : text[i] != shape[i]) return 0;
  return i;
}

bool is_space(std::uint8_t c) { return c == ' ' || c == '\t'; }

// From the target on. `proven`: the method and the target's first byte are HTTP's alone.
class RequestLine {
 public:
  RequestLine(std::string_view text, std::size_t target_at, bool proven)
      : text_(text), at_(target_at), target_at_(target_at), proven_(proven) {}

  Verdict recognise() {
    while (at_ < text_.size()) {
      const auto c = static_cast<std::uint8_t>(text_[at_]);
      if (is(visible_char, c)) {
        if (const auto verdict = enter_word()) return *verdict;
      } else if (is_space(c)) {
        ++at_;
      } else {
        return end_of_line(c);
      }
    }
    return more(Rule::http_request, text_.size() + 1);
  }

 private:
  std::optional<Verdict> enter_word() {
    word_at_ = at_;
    if (word_at_ > target_at_) {
      const std::size_t version = version_bytes_at(text_.substr(at_));
      if (version == version_bytes) return match(Protocol::http, Rule::http_request, at_ + version_bytes);
      if (version > 0 && at_ + version == text_.size()) return more(Rule::http_request, text_.size() + 1);
    }
    const bool in_target = word_at_ == target_at_;
    while (at_ < text_.size() && is(visible_char, text_[at_]))
      if (++at_ - target_at_ == target_proof_bytes && in_target && proven_)
        return match(Protocol::http, Rule::http_only_method, at_);
    word_end_ = at_;
    return std::nullopt;
  }

  Verdict end_of_line(std::uint8_t c) const {
    const auto last_word = text_.substr(word_at_, word_end_ - word_at_);
    if (!proven_ || (word_at_ > target_at_ && is_version_word(last_word))) return no_match(Rule::http_request, at_ + 1);
    const bool simple = (c == '\r' || c == '\n') && text_.starts_with("GET ");
    return match(Protocol::http, simple ? Rule::http_simple_request : Rule::http_only_method, at_ + 1);
  }

  std::string_view text_;
  std::size_t at_, target_at_, word_at_ = 0, word_end_ = 0;
  bool proven_;
};

}  // namespace

Verdict http_request(Bytes bytes) {
  constexpr Rule rule = Rule::http_request;
  const std::string_view text = as_text(bytes);
  if (text.starts_with("PRI *")) {
    const auto same = static_cast<std::size_t>(std::mismatch(text.begin(), text.end(), preface.begin(), preface.end()).first - text.begin());
    if (same == preface.size()) return match(Protocol::http, Rule::http2_preface, same);
    if (same == text.size()) return more(Rule::http2_preface, same + 1);
    if (same >= preface_line_bytes) return no_match(Rule::http2_preface, same + 1);
  }
  std::size_t end = 0;
  while (end < text.size() && end <= method_bytes_max && is(token_char, text[end])) ++end;
  if (end > method_bytes_max) return no_match(rule, end);
  if (end == text.size()) return more(rule, end + 1);
  if (end == 0 || text[end] != ' ') return no_match(rule, end + 1);
  std::size_t target = end;
  while (target < text.size() && is_space(bytes[target])) ++target;
  if (target == text.size()) return more(rule, target + 1);
  if (!is(visible_char, bytes[target])) return no_match(rule, target + 1);
  return RequestLine(text, target, proves(text.substr(0, end), text[target])).recognise();
}

Verdict http_response(Bytes bytes) {
  constexpr std::string_view start = "HTTP/";
  const std::string_view text = as_text(bytes);
  for (std::size_t i = 0; i < start.size(); ++i) {
    if (i == text.size()) return more(Rule::http_response, i + 1);
    if (text[i] != start[i]) return no_match(Rule::http_response, i + 1);
  }
  if (text.size() == start.size()) return more(Rule::http_response, text.size() + 1);
  return is(digit_char, text[start.size()]) ? match(Protocol::http, Rule::http_response, start.size() + 1)
                                            : no_match(Rule::http_response, start.size() + 1);
}

Verdict http2_settings(Bytes b) {
  constexpr Rule rule = Rule::http2_settings;
  constexpr std::size_t header_bytes = 9;
  constexpr std::uint32_t payload_bytes_max = 16384;
  if (b.size() < 3) return more(rule, 3);
  if (load_be24(b, 0) % 6 != 0 || load_be24(b, 0) > payload_bytes_max) return no_match(rule, 3);
  for (std::size_t i = 3; i < header_bytes; ++i) {   // type 4, no flags, stream 0
    if (i == b.size()) return more(rule, i + 1);
    if (b[i] != (i == 3 ? 4 : 0)) return no_match(rule, i + 1);
  }
  return match(Protocol::http, rule, header_bytes);
}

}  // namespace nlb::inspect
