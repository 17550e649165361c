#include "libnlb/capture/fragments.hpp"

#include <algorithm>

namespace nlb::capture {

std::size_t Fragments::find(const FragmentKey& key) {
  const auto at = std::find_if(datagrams_.begin(), datagrams_.end(), [&](const Datagram& d) { return d.key == key; });
  if (at != datagrams_.end()) return static_cast<std::size_t>(at - datagrams_.begin());
  if (datagrams_.size() >= datagrams_max) {
    datagrams_.erase(datagrams_.begin());
    ++given_up_;
  }
  datagrams_.push_back({.key = key, .payload = {}});
  return datagrams_.size() - 1;
}

std::optional<Bytes> Fragments::add(const FragmentKey& key, std::size_t offset, bool more, Bytes data) {
  if (data.empty() || offset + data.size() > datagram_bytes_max) return std::nullopt;
  const auto at = find(key);
  auto& datagram = datagrams_[at];
  datagram.payload.place(offset, data);
  if (!more) datagram.total = offset + data.size();
  const auto total = datagram.total;
  if (total == 0 || datagram.payload.prefix() < total) return std::nullopt;
  whole_ = std::move(datagram.payload);
  datagrams_.erase(datagrams_.begin() + static_cast<std::ptrdiff_t>(at));
  return whole_.bytes().first(total);
}

}  // namespace nlb::capture
