// Bytes that arrive in pieces, in any order, more than once and overlapping: what is there is kept, only holes are filled, so the first
// copy of every byte wins (RFC 9293 leaves it open; an attacker's second copy can't change a verdict already given).
#pragma once

#include <cstdint>
#include <vector>

#include "libnlb/core/bytes.hpp"

namespace nlb::capture {

class Patchwork {   // one owner, not thread safe
 public:
  static constexpr std::size_t pieces_max = 64;   // disjoint pieces; one more is dropped

  // Precondition: begin + data.size() is bounded by the caller. Cost: O(pieces + bytes).
  void place(std::size_t begin, Bytes data);
  std::size_t prefix() const { return pieces_.empty() || pieces_.front().begin != 0 ? 0 : pieces_.front().end; }
  bool empty() const { return pieces_.empty(); }
  Bytes bytes() const { return Bytes(bytes_).first(prefix()); }

 private:
  struct Piece { std::size_t begin, end; };
  std::vector<std::uint8_t> bytes_;
  std::vector<Piece> pieces_;   // sorted, disjoint, never touching
};

}  // namespace nlb::capture
