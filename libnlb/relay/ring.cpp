#include "libnlb/relay/ring.hpp"

#include <linux/io_uring.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

namespace nlb::relay {
namespace {

constexpr int send_flags = MSG_NOSIGNAL | MSG_DONTWAIT;

template <class T>
T* at(void* start, std::size_t offset) { return reinterpret_cast<T*>(static_cast<std::uint8_t*>(start) + offset); }

std::uint32_t read_shared(std::uint32_t* where) { return std::atomic_ref(*where).load(std::memory_order_acquire); }
void write_shared(std::uint32_t* where, std::uint32_t value) { std::atomic_ref(*where).store(value, std::memory_order_release); }

int register_with(int ring, unsigned operation, void* argument, unsigned count) {
  return static_cast<int>(syscall(__NR_io_uring_register, ring, operation, argument, count));
}

Error no_ring(int error) {
  return {ErrorKind::unavailable, std::string("io_uring is not available: ") + std::strerror(error) + ": Linux 6.1 has it, unless kernel.io_uring_disabled or a sandbox forbids it"};
}

}  // namespace

Result<std::unique_ptr<Ring>> Ring::open(std::uint32_t sends_max) {
  std::unique_ptr<Ring> ring(new Ring);
  io_uring_params params{};
  params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SUBMIT_ALL;
  ring->descriptor_ = static_cast<int>(syscall(__NR_io_uring_setup, sends_max, &params));
  if (ring->descriptor_ < 0) return tl::unexpected(no_ring(errno));
  const auto map = [&](Mapping& to, std::size_t bytes, off_t what) {
    void* const where = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring->descriptor_, what);
    if (where == MAP_FAILED) return false;
    to = {where, bytes};
    return true;
  };
  // Both rings share a mapping since Linux 5.4 (IORING_FEAT_SINGLE_MMAP), which the flags above imply.
  const auto submit_bytes = params.sq_off.array + params.sq_entries * sizeof(std::uint32_t);
  const auto complete_bytes = params.cq_off.cqes + params.cq_entries * sizeof(io_uring_cqe);
  if (!map(ring->rings_, std::max<std::size_t>(submit_bytes, complete_bytes), IORING_OFF_SQ_RING) ||
      !map(ring->entries_, params.sq_entries * sizeof(io_uring_sqe), IORING_OFF_SQES))
    return tl::unexpected(no_ring(errno));
  void* const start = ring->rings_.at;
  ring->submissions_ = static_cast<io_uring_sqe*>(ring->entries_.at);
  ring->completions_ = at<io_uring_cqe>(start, params.cq_off.cqes);
  ring->submit_head_ = at<std::uint32_t>(start, params.sq_off.head);
  ring->submit_tail_ = at<std::uint32_t>(start, params.sq_off.tail);
  ring->submit_mask_ = *at<std::uint32_t>(start, params.sq_off.ring_mask);
  ring->complete_head_ = at<std::uint32_t>(start, params.cq_off.head);
  ring->complete_tail_ = at<std::uint32_t>(start, params.cq_off.tail);
  ring->complete_mask_ = *at<std::uint32_t>(start, params.cq_off.ring_mask);
  auto* const order = at<std::uint32_t>(start, params.sq_off.array);
  for (std::uint32_t i = 0; i < params.sq_entries; ++i) order[i] = i;

  ring->entered_ = ring->descriptor_;
  io_uring_rsrc_update place{};   // spares the kernel a look into the table of descriptors, which threads share
  place.offset = -1u;
  place.data = static_cast<std::uint64_t>(ring->descriptor_);
  if (register_with(ring->descriptor_, IORING_REGISTER_RING_FDS, &place, 1) == 1) {
    ring->entered_ = static_cast<int>(place.offset);
    ring->enter_flags_ = IORING_ENTER_REGISTERED_RING;
  }
  return ring;
}

Ring::~Ring() {
  if (enter_flags_ & IORING_ENTER_REGISTERED_RING) {   // the registration would keep the ring alive as long as the thread
    io_uring_rsrc_update place{};
    place.offset = static_cast<std::uint32_t>(entered_);
    register_with(descriptor_, IORING_UNREGISTER_RING_FDS, &place, 1);
  }
  for (const auto& mapping : {rings_, entries_})
    if (mapping.at != nullptr) munmap(mapping.at, mapping.bytes);
  if (descriptor_ >= 0) close(descriptor_);
}

void Ring::prepare(const Send& send, std::uint32_t tag) {
  auto& entry = submissions_[tail_++ & submit_mask_];
  entry = {};
  entry.opcode = IORING_OP_SEND;
  entry.fd = send.descriptor;
  entry.addr = reinterpret_cast<std::uintptr_t>(send.bytes.data());
  entry.len = static_cast<std::uint32_t>(send.bytes.size());
  entry.msg_flags = send_flags;
  entry.user_data = tag;
}

std::uint32_t Ring::enter(std::uint32_t submit, std::uint32_t wait_for) {
  const auto flags = enter_flags_ | (wait_for > 0 ? IORING_ENTER_GETEVENTS : 0u);
  const auto before = read_shared(submit_head_);
  syscall(__NR_io_uring_enter, entered_, submit, wait_for, flags, nullptr, std::size_t{0});
  return read_shared(submit_head_) - before;   // what an error leaves open, the head tells
}

std::uint32_t Ring::collect(std::span<Send> sends) {
  const auto head = *complete_head_;
  const auto count = read_shared(complete_tail_) - head;
  for (std::uint32_t i = 0; i < count; ++i) {
    const auto& completion = completions_[(head + i) & complete_mask_];
    sends[completion.user_data].result = completion.res;
  }
  write_shared(complete_head_, head + count);
  return count;
}

void Ring::send_all(std::span<Send> sends) {
  std::uint32_t tag = 0;
  for (const auto& send : sends) prepare(send, tag++);
  write_shared(submit_tail_, tail_);
  const auto taken = enter(tag, 0);
  if (taken < tag) {   // what is behind the head has not been looked at: it is taken back
    tail_ -= tag - taken;
    write_shared(submit_tail_, tail_);
  }
  for (auto complete = collect(sends); complete < taken; complete += collect(sends)) enter(0, taken - complete);
  for (auto& send : sends.subspan(taken)) send.result = send_once(send.descriptor, send.bytes);
}

std::int32_t send_once(int descriptor, Bytes bytes) {
  const auto sent = send(descriptor, bytes.data(), bytes.size(), send_flags);
  return sent < 0 ? -errno : static_cast<std::int32_t>(sent);
}

Result<> ring_works() {
  auto ring = Ring::open(2);
  if (!ring) return tl::unexpected(ring.error());
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return tl::unexpected(no_ring(errno));
  static constexpr std::array<std::uint8_t, 16> probe = {'i', 'o', '_', 'u', 'r', 'i', 'n', 'g', ' ', 's', 'e', 'l', 'f', 't', 's', 't'};
  std::array<std::uint8_t, 2 * probe.size()> back{};
  std::array<Ring::Send, 2> sends{{{ends[0], probe}, {ends[0], probe}}};
  (*ring)->send_all(sends);
  bool works = sends[0].result == probe.size() && sends[1].result == probe.size() &&
               recv(ends[1], back.data(), back.size(), MSG_DONTWAIT) == static_cast<ssize_t>(back.size()) &&
               std::memcmp(back.data(), probe.data(), probe.size()) == 0 && std::memcmp(back.data() + probe.size(), probe.data(), probe.size()) == 0;
  const std::vector<std::uint8_t> block(64 * 1024);
  while (send_once(ends[0], block) > 0) {}
  sends[0] = {ends[0], block};
  (*ring)->send_all(std::span(sends).first(1));
  works = works && sends[0].result == -EAGAIN;
  for (int end : ends) close(end);
  if (!works) return fail(ErrorKind::unavailable, "io_uring does not answer as send(2) does");
  return {};
}

}  // namespace nlb::relay
