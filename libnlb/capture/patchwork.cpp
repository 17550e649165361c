#include "libnlb/capture/patchwork.hpp"

#include <algorithm>

namespace nlb::capture {

void Patchwork::place(std::size_t begin, Bytes data) {
  const auto end = begin + data.size();
  if (data.empty()) return;
  const auto first = std::find_if(pieces_.begin(), pieces_.end(), [&](const Piece& p) { return p.end >= begin; });
  const auto last = std::find_if(first, pieces_.end(), [&](const Piece& p) { return p.begin > end; });
  if (first == last && pieces_.size() >= pieces_max) return;
  if (bytes_.size() < end) bytes_.resize(end);
  auto hole = begin;
  const auto fill = [&](std::size_t to) {
    if (hole < to) std::copy_n(data.data() + (hole - begin), to - hole, bytes_.data() + hole);
  };
  Piece merged{begin, end};
  for (auto piece = first; piece != last; ++piece) {
    fill(std::min(piece->begin, end));
    hole = std::max(hole, piece->end);
    merged = {std::min(merged.begin, piece->begin), std::max(merged.end, piece->end)};
  }
  fill(end);
  pieces_.insert(pieces_.erase(first, last), merged);
}

}  // namespace nlb::capture
