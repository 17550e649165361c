// HTTP's request line and Host (RFC 9112 sections 3 and 3.2). HTTP/2's fields are compressed and left alone.
#include <algorithm>

#include "libnlb/inspect/details.hpp"
#include "libnlb/inspect/text.hpp"

namespace nlb::inspect {

namespace {

// A line without its end; `whole` when the end was there.
struct Line {
  std::string_view text;
  bool whole;
};

Line take_line(std::string_view& text) {
  const auto end = text.find('\n');
  Line line{text.substr(0, end), end != std::string_view::npos};
  text.remove_prefix(line.whole ? end + 1 : text.size());
  if (line.text.ends_with('\r')) line.text.remove_suffix(1);
  return line;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

void read_request_line(std::string_view line, Details& details) {
  const auto method_end = line.find(' ');
  if (method_end == std::string_view::npos) return;
  details.http_method = line.substr(0, method_end);
  auto rest = trim(line.substr(method_end));
  const auto last = rest.rfind(' ');
  if (last != std::string_view::npos && is_version_word(rest.substr(last + 1))) rest = rest.substr(0, last);
  details.http_target = trim(rest);
}

// The authority of an absolute-form target or of CONNECT's.
std::string_view authority(const Details& details) {
  if (details.http_method == "CONNECT") return details.http_target;
  const auto scheme_end = details.http_target.find("://");
  if (scheme_end == std::string_view::npos || details.http_target.find('/') < scheme_end) return {};
  const auto rest = details.http_target.substr(scheme_end + 3);
  return rest.substr(0, rest.find_first_of("/?#"));
}

}  // namespace

Details http_details(Bytes bytes) {
  Details details;
  std::string_view text = as_text(bytes);
  text.remove_prefix(std::min(text.find_first_not_of("\r\n"), text.size()));
  const Line first = take_line(text);
  read_request_line(first.text, details);
  if (details.http_method == "PRI") details.complete = true;
  while (!text.empty() && !details.complete) {
    const Line line = take_line(text);
    const auto colon = line.text.find(':');
    if (colon != std::string_view::npos && line.whole && same_text(line.text.substr(0, colon), "host"))
      details.http_host = trim(line.text.substr(colon + 1));
    details.complete = line.whole && (line.text.empty() || !details.http_host.empty());
  }
  if (details.http_host.empty()) details.http_host = authority(details);
  return details;
}

}  // namespace nlb::inspect
