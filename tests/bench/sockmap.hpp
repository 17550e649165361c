// Maps and verdict program for streams that the kernel relays by itself (BPF_MAP_TYPE_SOCKMAP): the trial that decided against it.
// What came out stands in libnlb/relay/sockmap.md; sockmap_trial.sh repeats it.
//
// A lane is one direction of one session: what its source receives is queued on its target by a program that runs where the bytes arrive.
// The program follows four rules, so that nothing is lost, doubled or reordered, and nothing piles up:
//   1. It moves bytes only while user space owes none: everything it has handed up (SK_PASS) must have been sent on and acknowledged.
//   2. It moves no more than its credit; what goes beyond is handed up, and there waits in the source's receive buffer, which is the
//      back-pressure. (A redirected byte counts in nobody's buffer until the target's socket takes it.)
//   3. It follows the TCP sequence numbers and cuts off bytes that came before: tcp_read_skb gives it whole segments, and one that
//      overlaps what was read already (a retransmission that was cut or merged differently on its way) would double them.
//   4. A FIN without data is dropped: sent on as an empty segment it would break the target (user space sees it as EPOLLRDHUP).
//
// A target is in a map without a program, so what it receives itself stays with user space: a session has one lane at most.
// Thread rule: one thread. What the program writes is read relaxed; the counters only grow.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace trial {

// Shared with the program; the offsets stand in its code.
struct alignas(64) Lane {
  std::atomic<std::uint64_t> moved;         // program: bytes queued on the target
  std::atomic<std::uint64_t> handed_up;     // program: bytes left to user space
  std::atomic<std::uint64_t> sent_on;       // user: of those, how many went out; the program moves only while both are equal
  std::atomic<std::uint64_t> credit;        // user: `moved` may grow to this
  std::atomic<std::uint64_t> ring_at;       // user: ring when `moved` reaches this
  std::uint32_t next_sequence;              // program: of the byte that comes next
  std::uint32_t target;                     // index in the map of targets
  std::atomic<std::uint32_t> ring_wanted;   // user: ring once
  std::atomic<std::uint32_t> broken;        // program: bytes are missing, and the session can't go on
  std::atomic<std::uint64_t> cut;           // program: segments that overlapped
};
static_assert(sizeof(Lane) == 64);

enum class Program { guarded, plain };   // plain: without rule 3, as the examples in the kernel and in articles have it

class Sockmap {
 public:
  static constexpr std::uint32_t lanes_max = 256;   // each rings at most once, so the ring never overflows

  // Loads the program and makes the maps; nullptr with what the kernel or the capabilities lack.
  static std::unique_ptr<Sockmap> create(Program kind, std::string& why_not);
  ~Sockmap();
  Sockmap(const Sockmap&) = delete;

  // From here on the kernel moves what `source` receives to `target`. Precondition: both are TCP, all that `source` has received was
  // read, and all of it is in the socket of `target`. False when the kernel refuses or bytes have just come; nothing has changed then.
  std::optional<std::uint32_t> join(int source, int target);
  void leave(std::uint32_t lane);           // after both sockets are closed
  Lane& lane(std::uint32_t number) { return lanes_[number]; }
  std::uint32_t in_use() const { return lanes_max - static_cast<std::uint32_t>(free_.size()); }

  int bell() const { return ring_; }        // readable when a lane has rung
  template <class F> void answer(F&& visit) {   // every lane that has rung since
    std::uint32_t number = 0;
    while (next_ring(number)) visit(number);
  }

 private:
  Sockmap() = default;
  bool next_ring(std::uint32_t& lane);
  int cookies_ = -1, lanes_map_ = -1, targets_ = -1, sources_ = -1, ring_ = -1, program_ = -1;
  Lane* lanes_ = nullptr;
  std::uint8_t* consumer_ = nullptr;
  const std::uint8_t* producer_ = nullptr;
  std::vector<std::uint32_t> free_;
  std::vector<std::uint64_t> cookie_of_;
};

// Bytes that the socket has taken for sending since it was connected, by a constant: what its peer acknowledged and what is queued.
// Acknowledgements that come meanwhile make it too small, never too large.
std::uint64_t taken_by(int socket);

}  // namespace trial
