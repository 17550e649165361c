#include "tools/nlb-inspect/text_out.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>

namespace nlb::inspect_tool {
namespace {

constexpr std::size_t block_bytes = 64 * 1024;

bool is_watched(int descriptor) {
  struct stat status {};
  if (::fstat(descriptor, &status) != 0) return true;
  return S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode) || ::isatty(descriptor) != 0;
}

// The length of the UTF-8 sequence at `at`, or 0 (RFC 3629 section 4).
std::size_t utf8_length(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0u; };
  const auto tail = [&](std::size_t i) { return (byte(i) & 0xc0) == 0x80; };
  const auto b = byte(0);
  if (b < 0x80) return 1;
  if (b >= 0xc2 && b <= 0xdf) return tail(1) ? 2 : 0;
  if (b >= 0xe0 && b <= 0xef) {
    const bool ok = (b != 0xe0 || byte(1) >= 0xa0) && (b != 0xed || byte(1) < 0xa0);
    return ok && tail(1) && tail(2) ? 3 : 0;
  }
  if (b >= 0xf0 && b <= 0xf4) {
    const bool ok = (b != 0xf0 || byte(1) >= 0x90) && (b != 0xf4 || byte(1) < 0x90);
    return ok && tail(1) && tail(2) && tail(3) ? 4 : 0;
  }
  return 0;
}

}  // namespace

TextOut::TextOut(int descriptor) : descriptor_(descriptor), by_line_(is_watched(descriptor)) { buffer_.reserve(block_bytes + 4096); }
TextOut::~TextOut() { flush(); }

TextOut& TextOut::operator<<(std::uint64_t number) {
  char digits[20];
  const auto [end, error] = std::to_chars(digits, digits + sizeof digits, number);
  buffer_.append(digits, error == std::errc{} ? end : digits);
  return *this;
}

void TextOut::padded(std::string_view text, std::size_t width, bool right) {
  const auto fill = text.size() < width ? width - text.size() : 0;
  if (right) buffer_.append(fill, ' ');
  buffer_.append(text);
  if (!right) buffer_.append(fill, ' ');
}

void TextOut::json(std::string_view text) {
  static constexpr char digits[] = "0123456789abcdef";
  const auto escape = [&](unsigned char c) { (buffer_.append("\\u00") += digits[c >> 4]) += digits[c & 15]; };
  buffer_ += '"';
  for (std::size_t i = 0; i < text.size();) {
    const auto c = static_cast<unsigned char>(text[i]);
    const auto length = utf8_length(text, i);
    if (c == '"' || c == '\\') (buffer_ += '\\') += text[i];
    else if (c < 0x20 || c == 0x7f || length == 0) escape(c);
    else buffer_.append(text.substr(i, length));
    i += std::max<std::size_t>(length, 1);
  }
  buffer_ += '"';
}

void TextOut::csv(std::string_view text) {
  if (text.find_first_of(",\"\r\n") == std::string_view::npos) return void(buffer_.append(text));
  buffer_ += '"';
  for (const char c : text) {
    if (c == '"') buffer_ += '"';
    buffer_ += c;
  }
  buffer_ += '"';
}

void TextOut::end_line() {
  buffer_ += '\n';
  if (by_line_ || buffer_.size() >= block_bytes) flush();
}

void TextOut::flush() {
  for (std::string_view rest = buffer_; !rest.empty();) {
    const auto wrote = ::write(descriptor_, rest.data(), rest.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) std::_Exit(errno == EPIPE ? 0 : 4);   // nobody reads any more
    rest.remove_prefix(static_cast<std::size_t>(wrote));
  }
  buffer_.clear();
}

std::string printable(std::string_view text) {
  std::string out(text);
  std::replace_if(out.begin(), out.end(), [](unsigned char c) { return c < 0x20 || c > 0x7e; }, '.');
  return out;
}

}  // namespace nlb::inspect_tool
