// Small chunks that were read in one turn of a worker's loop and wait for its end, so that one system call sends them all (ring.hpp).
//
// Reading goes straight into the batch's memory: room() is where the next read goes, and a chunk that is queued keeps its place there.
// The batch knows nothing of what else happens to a session: its worker sends the batch before anything that must come after (batch.cpp).
// Owner: one worker.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>

#include "libnlb/relay/ring.hpp"
#include "libnlb/relay/session.hpp"

namespace nlb::relay {

class SendBatch {
 public:
  static constexpr std::uint32_t sends_max = 64;          // then the batch is full: the first chunk has waited long enough, too
  static constexpr std::size_t chunk_bytes_max = 4096;    // a longer one is worth a system call of its own
  static constexpr std::uint32_t worth_a_ring = 3;        // fewer are sent one by one

  SendBatch(std::unique_ptr<Ring> ring, std::size_t read_bytes_max)
      : ring_(std::move(ring)), memory_(std::make_unique_for_overwrite<std::uint8_t[]>(sends_max * chunk_bytes_max + read_bytes_max)) {}

  struct Queued {
    Session* session = nullptr;
    Flow flow = Flow::up;
  };

  bool empty() const { return count_ == 0; }
  bool full() const { return count_ == sends_max; }
  std::uint32_t size() const { return count_; }
  std::uint8_t* room() { return memory_.get() + used_; }   // read_bytes_max long

  // The first `bytes` of room() go to the receiver of `flow`. Preconditions: not full; 0 < bytes <= chunk_bytes_max.
  void add(Session& session, Flow flow, std::size_t bytes) {
    queued_[count_] = {&session, flow};
    sends_[count_++] = {session.receiver(flow), {room(), bytes}};
    used_ += (bytes + line_bytes - 1) / line_bytes * line_bytes;
    session.queued = static_cast<std::uint8_t>(session.queued | bit(flow));
  }

  // Sends everything; afterwards the batch is empty, and the results stand until the next add.
  struct Sent { std::span<const Queued> queued; std::span<const Ring::Send> sends; };
  Sent send_all() {
    const auto sends = std::span(sends_).first(count_);
    if (count_ >= worth_a_ring) ring_->send_all(sends);
    else
      for (auto& send : sends) send.result = send_once(send.descriptor, send.bytes);
    for (const auto& queued : std::span(queued_).first(count_)) queued.session->queued = 0;
    const Sent sent{std::span<const Queued>(queued_).first(count_), sends};
    count_ = 0;
    used_ = 0;
    return sent;
  }

 private:
  static constexpr std::size_t line_bytes = 64;
  std::unique_ptr<Ring> ring_;
  std::unique_ptr<std::uint8_t[]> memory_;
  std::size_t used_ = 0;
  std::uint32_t count_ = 0;
  std::array<Queued, sends_max> queued_;
  std::array<Ring::Send, sends_max> sends_;
};

}  // namespace nlb::relay
