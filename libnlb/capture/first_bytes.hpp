// The first bytes of one direction of a TCP connection, in order, as far as they are needed to decide.
//
// Positions are counted from the first byte of the stream (the sequence number after SYN, or where a connection that was already
// running came into view); arithmetic is modulo 2^32 (RFC 9293 section 3.4), so a wrap is nothing special. What lies before position 0
// (keep-alive probes repeat the byte before) is cut off; what lies beyond opening_bytes_max is not kept. In the usual case the first
// segment decides and nothing is copied at all.
#pragma once

#include <cstdint>

#include "libnlb/capture/patchwork.hpp"
#include "libnlb/inspect/detector.hpp"
#include "libnlb/inspect/proxy_header.hpp"

namespace nlb::capture {

inline constexpr std::size_t opening_bytes_max = inspect::details_bytes_max + inspect::proxy_v2_bytes_max;

class FirstBytes {   // one owner, not thread safe
 public:
  bool started() const { return started_; }
  void start(std::uint32_t sequence) {
    base_ = sequence;
    started_ = true;
  }

  // All bytes known from position 0 on, `payload` included. Precondition: started(). The view lives as long as `payload` and until the
  // next call; call keep() when more bytes of this direction are going to be needed.
  Bytes add(std::uint32_t sequence, Bytes payload) {
    const auto offset = static_cast<std::int32_t>(sequence - base_);
    const auto before = offset < 0 ? static_cast<std::size_t>(-static_cast<std::int64_t>(offset)) : 0;
    borrowed_ = {};
    if (before >= payload.size() || offset >= static_cast<std::int32_t>(opening_bytes_max)) return stored_.bytes();
    payload = payload.subspan(before);
    const auto at = offset < 0 ? 0 : static_cast<std::size_t>(offset);
    payload = payload.first(payload.size() < opening_bytes_max - at ? payload.size() : opening_bytes_max - at);
    if (at == 0 && stored_.empty()) return borrowed_ = payload;
    stored_.place(at, payload);
    return stored_.bytes();
  }
  void keep() {
    if (!borrowed_.empty()) stored_.place(0, borrowed_);
    borrowed_ = {};
  }
  Bytes stored() const { return stored_.bytes(); }
  void forget() {
    stored_ = {};
    borrowed_ = {};
  }

 private:
  std::uint32_t base_ = 0;
  bool started_ = false;
  Bytes borrowed_{};
  Patchwork stored_;
};

}  // namespace nlb::capture
