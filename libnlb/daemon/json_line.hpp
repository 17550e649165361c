// Writes one flat JSON object a line into a caller's buffer: keys are trusted literals, values are escaped (RFC 8259 section 7).
// No allocation but the buffer's own growth; about 1 us for a session's line. Bytes that are not UTF-8 are written as \u00XX each, so
// the line stays valid JSON whatever a client sent.
#pragma once

#include <charconv>
#include <concepts>
#include <string>
#include <string_view>

namespace nlb::daemon {

void append_json_string(std::string& out, std::string_view text);   // with its quotes

class JsonLine {
 public:
  explicit JsonLine(std::string& out) : out_(out) { out_ += '{'; }
  JsonLine& add(std::string_view key, std::string_view text) { name(key); append_json_string(out_, text); return *this; }
  JsonLine& add(std::string_view key, const char* text) { return add(key, std::string_view(text)); }
  JsonLine& add(std::string_view key, bool value) { return add_raw(key, value ? "true" : "false"); }
  template <class Number> requires(std::integral<Number> || std::floating_point<Number>)
  JsonLine& add(std::string_view key, Number value) {
    char digits[32];
    const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
    return add_raw(key, {digits, static_cast<std::size_t>(end - digits)});
  }
  JsonLine& add_raw(std::string_view key, std::string_view json) { name(key); out_ += json; return *this; }
  void end() { out_ += "}\n"; }

 private:
  void name(std::string_view key) {
    if (out_.back() != '{') out_ += ',';
    out_ += '"';
    out_ += key;
    out_ += "\":";
  }
  std::string& out_;
};

}  // namespace nlb::daemon
