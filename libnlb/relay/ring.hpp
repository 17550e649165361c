// Sends to many sockets in one system call: the part of io_uring(7) that this takes, over the bare system calls.
//
// Each send is non-blocking (MSG_DONTWAIT) and so complete when submit() returns: the kernel never keeps one, and no completion comes
// later. One thread owns a ring from open() on (IORING_SETUP_SINGLE_ISSUER, Linux 6.0; IORING_SETUP_DEFER_TASKRUN, Linux 6.1: older
// kernels give an error, and the caller uses send(2)).
// Why it is not more: io_uring.md.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "libnlb/core/bytes.hpp"
#include "libnlb/core/result.hpp"

struct io_uring_sqe;
struct io_uring_cqe;

namespace nlb::relay {

class Ring {
 public:
  struct Send {
    int descriptor = -1;
    Bytes bytes;
    std::int32_t result = 0;   // as of send(2): bytes taken, possibly fewer than asked for; or -errno (EAGAIN: none taken)
  };

  // `sends_max`: the most that one send_all takes, a power of two. Error: unavailable, with the kernel's reason.
  static Result<std::unique_ptr<Ring>> open(std::uint32_t sends_max);
  ~Ring();
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;

  // Sends all in order and fills in the results; never blocks. What the kernel doesn't accept into the ring goes through send(2).
  // Precondition: no more than sends_max.
  void send_all(std::span<Send> sends);

 private:
  struct Mapping {
    void* at = nullptr;
    std::size_t bytes = 0;
  };
  Ring() = default;
  void prepare(const Send& send, std::uint32_t tag);
  std::uint32_t enter(std::uint32_t submit, std::uint32_t wait_for);   // how many the kernel took
  std::uint32_t collect(std::span<Send> sends);                        // how many were complete

  int descriptor_ = -1;
  int entered_ = -1;                    // what io_uring_enter(2) is given: the descriptor, or its place among the registered ones
  std::uint32_t enter_flags_ = 0;
  Mapping rings_, entries_;
  io_uring_sqe* submissions_ = nullptr;
  io_uring_cqe* completions_ = nullptr;
  std::uint32_t *submit_head_ = nullptr, *submit_tail_ = nullptr, *complete_head_ = nullptr, *complete_tail_ = nullptr;
  std::uint32_t submit_mask_ = 0, complete_mask_ = 0, tail_ = 0;
};

// Sends bytes through a ring and compares, and fills a socket until it takes no more: the reason where the kernel (or a sandbox) has no
// ring or it answers otherwise than send(2).
Result<> ring_works();

// One send(2) with the result as in Ring::Send.
std::int32_t send_once(int descriptor, Bytes bytes);

}  // namespace nlb::relay
