#include "libnlb/inspect/backend_key.hpp"

#include <algorithm>

namespace nlb::inspect {
namespace {

constexpr std::uint32_t cancel_code = 80877102;
constexpr std::uint8_t header_bytes = 5, key_bytes = 13;

BackendKey key_of(Bytes pid_and_secret) { return std::uint64_t{load_be32(pid_and_secret, 0)} << 32 | load_be32(pid_and_secret, 4); }

}  // namespace

std::optional<BackendKey> BackendKeyScan::feed(Bytes bytes) {
  seen_ += static_cast<std::uint32_t>(bytes.size());
  if (seen_ > bytes_max) over_ = true;
  while (!over_ && !bytes.empty()) {
    if (skip_ > 0) {
      const auto n = std::min<std::size_t>(skip_, bytes.size());
      skip_ -= static_cast<std::uint32_t>(n);
      bytes = bytes.subspan(n);
      continue;
    }
    const std::uint8_t byte = bytes.front();
    if (have_ == 0 && !messages_begun_ && (byte == 'S' || byte == 'G')) {   // encrypted from here on
      over_ = true;
      break;
    }
    if (have_ == 0 && !messages_begun_ && byte == 'N' && bytes.size() == 1) return std::nullopt;   // "no" to SSLRequest or GSSENCRequest
    head_[have_++] = byte;
    bytes = bytes.subspan(1);
    messages_begun_ = true;
    const std::uint8_t wanted = head_[0] == 'K' ? key_bytes : header_bytes;
    if (have_ < wanted) continue;
    const auto length = load_be32(head_, 1);
    if (head_[0] == 'Z' || head_[0] == 'E' || length < 4 || (head_[0] == 'K' && length < 12)) over_ = true;
    else if (head_[0] == 'K') {
      over_ = true;
      return key_of(Bytes(head_).subspan(header_bytes));
    }
    skip_ = length - 4;
    have_ = 0;
  }
  return std::nullopt;
}

std::optional<BackendKey> cancel_key(Bytes b) {
  if (b.size() < 16 || load_be32(b, 4) != cancel_code || load_be32(b, 0) < 16) return std::nullopt;
  return key_of(b.subspan(8));
}

}  // namespace nlb::inspect
