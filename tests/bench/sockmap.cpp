#include "tests/bench/sockmap.hpp"

#include <linux/bpf.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <map>
#include <string>

namespace trial {
namespace {

int bpf(int command, bpf_attr& attributes) { return static_cast<int>(syscall(SYS_bpf, command, &attributes, sizeof attributes)); }

int make_map(std::uint32_t type, std::uint32_t key, std::uint32_t value, std::uint32_t entries, std::uint32_t flags = 0) {
  bpf_attr a{};
  a.map_type = type;
  a.key_size = key;
  a.value_size = value;
  a.max_entries = entries;
  a.map_flags = flags;
  return bpf(BPF_MAP_CREATE, a);
}

bool put(int map, const void* key, const void* value) {
  bpf_attr a{};
  a.map_fd = static_cast<std::uint32_t>(map);
  a.key = reinterpret_cast<std::uintptr_t>(key);
  a.value = reinterpret_cast<std::uintptr_t>(value);
  a.flags = BPF_ANY;
  return bpf(BPF_MAP_UPDATE_ELEM, a) == 0;
}

void take_out(int map, const void* key) {
  bpf_attr a{};
  a.map_fd = static_cast<std::uint32_t>(map);
  a.key = reinterpret_cast<std::uintptr_t>(key);
  bpf(BPF_MAP_DELETE_ELEM, a);
}

// An assembler for the few instructions that the program has; jumps go to labels.
class Assembler {
 public:
  void op(std::uint8_t code, int dst, int src, int off, std::int32_t imm) {
    code_.push_back({code, static_cast<std::uint8_t>(dst & 15), static_cast<std::uint8_t>(src & 15), static_cast<std::int16_t>(off), imm});
  }
  void mov(int dst, int src) { op(BPF_ALU64 | BPF_MOV | BPF_X, dst, src, 0, 0); }
  void set(int dst, std::int32_t value) { op(BPF_ALU64 | BPF_MOV | BPF_K, dst, 0, 0, value); }
  void add(int dst, int src) { op(BPF_ALU64 | BPF_ADD | BPF_X, dst, src, 0, 0); }
  void add32(int dst, int src) { op(BPF_ALU | BPF_ADD | BPF_X, dst, src, 0, 0); }
  void sub32(int dst, int src) { op(BPF_ALU | BPF_SUB | BPF_X, dst, src, 0, 0); }
  void plus(int dst, std::int32_t value) { op(BPF_ALU64 | BPF_ADD | BPF_K, dst, 0, 0, value); }
  void negate(int dst) { op(BPF_ALU64 | BPF_NEG, dst, 0, 0, 0); }
  void load32(int dst, int base, std::size_t at) { op(BPF_LDX | BPF_MEM | BPF_W, dst, base, static_cast<int>(at), 0); }
  void load64(int dst, int base, std::size_t at) { op(BPF_LDX | BPF_MEM | BPF_DW, dst, base, static_cast<int>(at), 0); }
  void store32(int base, int at, int src) { op(BPF_STX | BPF_MEM | BPF_W, base, src, at, 0); }
  void store64(int base, int at, int src) { op(BPF_STX | BPF_MEM | BPF_DW, base, src, at, 0); }
  void map(int dst, int descriptor) {
    op(BPF_LD | BPF_DW | BPF_IMM, dst, BPF_PSEUDO_MAP_FD, 0, descriptor);
    op(0, 0, 0, 0, 0);
  }
  void call(int function) { op(BPF_JMP | BPF_CALL, 0, 0, 0, function); }
  void leave(std::int32_t result) {
    set(0, result);
    op(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
  }
  void exit() { op(BPF_JMP | BPF_EXIT, 0, 0, 0, 0); }
  void jump(const char* label) { to(label, BPF_JMP | BPF_JA, 0, 0, 0); }
  void if_is(int dst, std::int32_t value, const char* label) { to(label, BPF_JMP | BPF_JEQ | BPF_K, dst, 0, value); }
  void if_not(int dst, std::int32_t value, const char* label) { to(label, BPF_JMP | BPF_JNE | BPF_K, dst, 0, value); }
  void if_above(int dst, std::int32_t value, const char* label) { to(label, BPF_JMP | BPF_JGT | BPF_K, dst, 0, value); }
  void if_at_most(int dst, std::int32_t value, const char* label) { to(label, BPF_JMP | BPF_JLE | BPF_K, dst, 0, value); }
  void if_differ(int dst, int src, const char* label) { to(label, BPF_JMP | BPF_JNE | BPF_X, dst, src, 0); }
  void if_greater(int dst, int src, const char* label) { to(label, BPF_JMP | BPF_JGT | BPF_X, dst, src, 0); }
  void if_less(int dst, int src, const char* label) { to(label, BPF_JMP | BPF_JLT | BPF_X, dst, src, 0); }
  void if_at_least(int dst, int src, const char* label) { to(label, BPF_JMP | BPF_JGE | BPF_X, dst, src, 0); }
  void label(const char* name) { labels_[name] = code_.size(); }

  const std::vector<bpf_insn>& link() {
    for (const auto& [at, name] : jumps_) code_[at].off = static_cast<std::int16_t>(labels_.at(name) - at - 1);
    return code_;
  }

 private:
  void to(const char* label, int code, int dst, int src, std::int32_t imm) {
    jumps_.emplace_back(code_.size(), label);
    op(static_cast<std::uint8_t>(code), dst, src, 0, imm);
  }
  std::vector<bpf_insn> code_;
  std::map<std::string, std::size_t> labels_;
  std::vector<std::pair<std::size_t, std::string>> jumps_;
};

constexpr int cut_max = 4095;       // bytes that bpf_skb_adjust_room takes off at once
constexpr int overlap_max = 65535;  // more than a segment holds after receive offload

struct Maps { int cookies, lanes, targets, ring; };

enum { ctx = 6, lane = 7, length = 8, rest = 9, frame = 10 };   // registers that keep their meaning

void count(Assembler& a, std::size_t field, int by) {
  a.load64(1, lane, field);
  a.add(1, by);
  a.store64(lane, static_cast<int>(field), 1);
}

void cut_what_came_before(Assembler& a) {
  // The first word of a TCP segment's control block is its sequence number (struct tcp_skb_cb).
  a.load32(1, ctx, offsetof(__sk_buff, cb));
  a.load32(rest, lane, offsetof(Lane, next_sequence));
  a.sub32(rest, 1);
  a.if_is(rest, 0, "in order");
  a.if_above(rest, overlap_max, "broken");
  a.if_at_least(rest, length, "broken");
  for (int cut = 0; cut < overlap_max / cut_max; ++cut) {
    a.if_at_most(rest, cut_max, "last cut");
    a.mov(1, ctx);
    a.set(2, -cut_max);
    a.set(3, 0);
    a.set(4, 0);
    a.call(BPF_FUNC_skb_adjust_room);
    a.if_not(0, 0, "broken");
    a.plus(rest, -cut_max);
  }
  a.label("last cut");
  a.mov(1, ctx);
  a.mov(2, rest);
  a.negate(2);
  a.set(3, 0);
  a.set(4, 0);
  a.call(BPF_FUNC_skb_adjust_room);
  a.if_not(0, 0, "broken");
  a.load32(length, ctx, offsetof(__sk_buff, len));
  a.set(2, 1);
  count(a, offsetof(Lane, cut), 2);
}

std::vector<bpf_insn> write_program(const Maps& maps, Program kind) {
  Assembler a;
  a.mov(ctx, 1);
  a.call(BPF_FUNC_get_socket_cookie);
  a.store64(frame, -8, 0);
  a.map(1, maps.cookies);
  a.mov(2, frame);
  a.plus(2, -8);
  a.call(BPF_FUNC_map_lookup_elem);
  a.if_is(0, 0, "stranger");
  a.load32(1, 0, 0);
  a.store32(frame, -12, 1);
  a.map(1, maps.lanes);
  a.mov(2, frame);
  a.plus(2, -12);
  a.call(BPF_FUNC_map_lookup_elem);
  a.if_is(0, 0, "stranger");
  a.mov(lane, 0);
  a.load32(length, ctx, offsetof(__sk_buff, len));
  a.if_is(length, 0, "drop");

  if (kind == Program::guarded) cut_what_came_before(a);
  a.label("in order");
  a.load32(1, lane, offsetof(Lane, next_sequence));
  a.add32(1, length);
  a.store32(lane, offsetof(Lane, next_sequence), 1);
  a.load64(1, lane, offsetof(Lane, handed_up));
  a.load64(2, lane, offsetof(Lane, sent_on));
  a.if_differ(1, 2, "hand up");
  a.load64(1, lane, offsetof(Lane, moved));
  a.add(1, length);
  a.load64(2, lane, offsetof(Lane, credit));
  a.if_greater(1, 2, "hand up");
  a.store64(lane, offsetof(Lane, moved), 1);
  a.set(rest, 1);
  a.load64(2, lane, offsetof(Lane, ring_at));
  a.if_less(1, 2, "decide");
  a.jump("ring");

  a.label("hand up");
  count(a, offsetof(Lane, handed_up), length);
  a.set(rest, 0);
  a.jump("ring");

  if (kind == Program::guarded) {
    a.label("broken");
    a.set(1, 1);
    a.store32(lane, offsetof(Lane, broken), 1);
    a.set(rest, 2);
  }

  a.label("ring");
  a.load32(1, lane, offsetof(Lane, ring_wanted));
  a.if_is(1, 0, "decide");
  a.set(1, 0);
  a.store32(lane, offsetof(Lane, ring_wanted), 1);
  a.map(1, maps.ring);
  a.mov(2, frame);
  a.plus(2, -12);
  a.set(3, 4);
  a.set(4, BPF_RB_FORCE_WAKEUP);
  a.call(BPF_FUNC_ringbuf_output);

  a.label("decide");
  a.if_is(rest, 0, "stranger");
  if (kind == Program::guarded) a.if_is(rest, 2, "drop");
  a.mov(1, ctx);
  a.map(2, maps.targets);
  a.load32(3, lane, offsetof(Lane, target));
  a.set(4, 0);
  a.call(BPF_FUNC_sk_redirect_map);
  a.exit();
  a.label("stranger");
  a.leave(SK_PASS);
  a.label("drop");
  a.leave(SK_DROP);
  return a.link();
}

constexpr std::size_t ring_bytes = 4096;

std::uint64_t cookie_of(int socket) {
  std::uint64_t cookie = 0;
  socklen_t size = sizeof cookie;
  return getsockopt(socket, SOL_SOCKET, SO_COOKIE, &cookie, &size) == 0 ? cookie : 0;
}

// The sequence number that comes next, when all that has come is read; asked by way of TCP_REPAIR, which is switched off again at once.
std::optional<std::uint32_t> next_sequence(int socket) {
  int on = TCP_REPAIR_ON, queue = TCP_RECV_QUEUE, off = TCP_REPAIR_OFF_NO_WP;
  if (setsockopt(socket, IPPROTO_TCP, TCP_REPAIR, &on, sizeof on) != 0) return std::nullopt;
  std::uint32_t sequence = 0;
  socklen_t size = sizeof sequence;
  const bool known = setsockopt(socket, IPPROTO_TCP, TCP_REPAIR_QUEUE, &queue, sizeof queue) == 0 &&
                     getsockopt(socket, IPPROTO_TCP, TCP_QUEUE_SEQ, &sequence, &size) == 0;
  setsockopt(socket, IPPROTO_TCP, TCP_REPAIR, &off, sizeof off);
  setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);   // switched off with it; the next process could not listen on this port
  std::uint8_t byte;
  if (!known || recv(socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT) != -1 || errno != EAGAIN) return std::nullopt;
  return sequence;
}

}  // namespace

std::unique_ptr<Sockmap> Sockmap::create(Program kind, std::string& why_not) {
  std::unique_ptr<Sockmap> map(new Sockmap);
  const auto refuse = [&](const char* what) {
    why_not = std::string(what) + ": " + std::strerror(errno) + (errno == EPERM ? " (needs CAP_BPF and CAP_NET_ADMIN)" : "");
    return nullptr;
  };
  if ((map->cookies_ = make_map(BPF_MAP_TYPE_HASH, 8, 4, lanes_max)) < 0) return refuse("a hash map");
  if ((map->lanes_map_ = make_map(BPF_MAP_TYPE_ARRAY, 4, sizeof(Lane), lanes_max, BPF_F_MMAPABLE)) < 0) return refuse("an array map");
  if ((map->targets_ = make_map(BPF_MAP_TYPE_SOCKMAP, 4, 4, lanes_max)) < 0) return refuse("a map of sockets");
  if ((map->sources_ = make_map(BPF_MAP_TYPE_SOCKMAP, 4, 4, lanes_max)) < 0) return refuse("a map of sockets");
  if ((map->ring_ = make_map(BPF_MAP_TYPE_RINGBUF, 0, 0, ring_bytes)) < 0) return refuse("a ring");

  const auto code = write_program({map->cookies_, map->lanes_map_, map->targets_, map->ring_}, kind);
  bpf_attr a{};
  a.prog_type = BPF_PROG_TYPE_SK_SKB;
  a.insns = reinterpret_cast<std::uintptr_t>(code.data());
  a.insn_cnt = static_cast<std::uint32_t>(code.size());
  a.license = reinterpret_cast<std::uintptr_t>("GPL");
  if ((map->program_ = bpf(BPF_PROG_LOAD, a)) < 0) return refuse("the program");
  bpf_attr attach{};
  attach.target_fd = static_cast<std::uint32_t>(map->sources_);
  attach.attach_bpf_fd = static_cast<std::uint32_t>(map->program_);
  attach.attach_type = BPF_SK_SKB_VERDICT;
  if (bpf(BPF_PROG_ATTACH, attach) != 0) return refuse("attaching the program");

  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  void* lanes = mmap(nullptr, lanes_max * sizeof(Lane), PROT_READ | PROT_WRITE, MAP_SHARED, map->lanes_map_, 0);
  void* consumer = mmap(nullptr, page, PROT_READ | PROT_WRITE, MAP_SHARED, map->ring_, 0);
  void* producer = mmap(nullptr, page + 2 * ring_bytes, PROT_READ, MAP_SHARED, map->ring_, static_cast<off_t>(page));
  if (lanes == MAP_FAILED || consumer == MAP_FAILED || producer == MAP_FAILED) return refuse("mapping");
  map->lanes_ = static_cast<Lane*>(lanes);
  map->consumer_ = static_cast<std::uint8_t*>(consumer);
  map->producer_ = static_cast<const std::uint8_t*>(producer);
  for (std::uint32_t i = lanes_max; i-- > 0;) map->free_.push_back(i);
  map->cookie_of_.resize(lanes_max);
  return map;
}

Sockmap::~Sockmap() {
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  if (lanes_ != nullptr) munmap(lanes_, lanes_max * sizeof(Lane));
  if (consumer_ != nullptr) munmap(consumer_, page);
  if (producer_ != nullptr) munmap(const_cast<std::uint8_t*>(producer_), page + 2 * ring_bytes);
  for (int descriptor : {program_, sources_, targets_, cookies_, lanes_map_, ring_})
    if (descriptor >= 0) close(descriptor);
}

std::optional<std::uint32_t> Sockmap::join(int source, int target) {
  if (free_.empty()) return std::nullopt;
  const std::uint32_t number = free_.back();
  const auto cookie = cookie_of(source);
  const auto sequence = next_sequence(source);
  if (cookie == 0 || !sequence) return std::nullopt;
  Lane& lane = lanes_[number];
  for (auto* field : {&lane.moved, &lane.handed_up, &lane.sent_on, &lane.credit, &lane.cut}) *field = 0;
  lane.ring_at = ~0ull;
  lane.next_sequence = *sequence;
  lane.target = number;
  lane.ring_wanted = 0;
  lane.broken = 0;
  if (!put(targets_, &number, &target)) return std::nullopt;
  if (!put(cookies_, &cookie, &number) || !put(sources_, &number, &source)) {
    take_out(cookies_, &cookie);
    take_out(targets_, &number);
    return std::nullopt;
  }
  free_.pop_back();
  cookie_of_[number] = cookie;
  return number;
}

void Sockmap::leave(std::uint32_t number) {
  take_out(cookies_, &cookie_of_[number]);
  free_.push_back(number);
}

// A record is eight bytes of header (its length and two flags), and then its content, rounded up to eight (kernel/bpf/ringbuf.c).
bool Sockmap::next_ring(std::uint32_t& lane) {
  auto& consumed = *reinterpret_cast<std::atomic<std::uint64_t>*>(consumer_);
  const auto& produced = *reinterpret_cast<const std::atomic<std::uint64_t>*>(producer_);
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  const auto at = consumed.load(std::memory_order_relaxed);
  if (at == produced.load(std::memory_order_acquire)) return false;
  const auto* record = producer_ + page + at % ring_bytes;
  const auto header = reinterpret_cast<const std::atomic<std::uint32_t>*>(record)->load(std::memory_order_acquire);
  if (header & BPF_RINGBUF_BUSY_BIT) return false;
  lane = *reinterpret_cast<const std::uint32_t*>(record + BPF_RINGBUF_HDR_SZ);
  consumed.store(at + 16, std::memory_order_release);
  return true;
}

std::uint64_t taken_by(int socket) {
  tcp_info info{};
  socklen_t size = sizeof info;
  if (getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return 0;
  int queued = 0;
  if (ioctl(socket, SIOCOUTQ, &queued) != 0) return 0;
  return info.tcpi_bytes_acked + static_cast<std::uint64_t>(queued);
}

}  // namespace trial
