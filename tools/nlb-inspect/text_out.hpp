// Text output that doesn't allocate per field: an append-only buffer for one stream, flushed per line when somebody may be waiting at
// the other end (a pipe, a terminal, a socket), in blocks when the stream is a file.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace nlb::inspect_tool {

class TextOut {
 public:
  explicit TextOut(int descriptor);
  ~TextOut();
  TextOut(const TextOut&) = delete;
  TextOut& operator=(const TextOut&) = delete;

  TextOut& operator<<(std::string_view text) { return buffer_.append(text), *this; }
  TextOut& operator<<(char c) { return buffer_.push_back(c), *this; }
  TextOut& operator<<(std::uint64_t number);
  void padded(std::string_view text, std::size_t width, bool right = false);
  void json(std::string_view text);   // quoted; bytes that aren't UTF-8 become U+0080 to U+00FF, so that nothing is lost
  void csv(std::string_view text);    // quoted when needed, RFC 4180
  void end_line();
  void flush();

 private:
  int descriptor_;
  bool by_line_;
  std::string buffer_;
};

std::string printable(std::string_view text);   // for tables: control characters and non-ASCII as dots

}  // namespace nlb::inspect_tool
