// The trial of a sockmap relay (sockmap.hpp has its rules, libnlb/relay/sockmap.md what came out).
//
//   bench_sockmap probe                    can the kernel do it at all? Exit 0, or 1 with what is missing
//   bench_sockmap overlap plain|guarded    a retransmission that overlaps, through a TUN device: are bytes doubled? (in a namespace of its own)
//   bench_sockmap relay FROM TO [--window MIB] [--receive KIB]
//                                          relays 127.0.0.1:FROM to 127.0.0.1:TO: copies, and gives each session's first long direction
//                                          to the kernel. --window: what may be queued for a target (0: as much as comes); --receive:
//                                          the source's receive buffer from then on (0: as the kernel likes). On TERM: its numbers
#include "tests/bench/sockmap.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace trial {
namespace {

[[noreturn]] void die(const char* what) {
  std::perror(what);
  std::exit(1);
}

sockaddr_in local(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

int tcp_socket(int flags = 0) {
  const int socket = ::socket(AF_INET, SOCK_STREAM | flags, 0);
  if (socket < 0) die("socket");
  setsockopt(socket, IPPROTO_TCP, TCP_CONGESTION, "cubic", 5);   // as nlb-forward does on loopback
  return socket;
}

int listen_on(sockaddr_in at) {
  const int listener = tcp_socket(), on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(listener, reinterpret_cast<sockaddr*>(&at), sizeof at) != 0 || listen(listener, 1024) != 0) die("listen");
  return listener;
}

// --- relay ------------------------------------------------------------------------------------------------------------------------

constexpr std::size_t chunk_bytes = 256 * 1024;
constexpr std::uint64_t long_stream = 128 * 1024;
constexpr int turns_max = 64;             // chunks of a direction before others are served: a lane begins where nothing is left to read
constexpr int poll_ms = 1;                 // nothing tells when the kernel has emptied a target's queue

struct Session {
  int end[2] = {-1, -1};                   // 0 the client, 1 the module; flow f is read from end[f] and sent to end[1 - f]
  std::uint32_t interest[2] = {0, 0};
  std::vector<char> rest[2];               // read, and not yet taken by the receiver
  bool ended[2] = {false, false}, passed_on[2] = {false, false};
  std::uint64_t bytes[2] = {0, 0};
  int lane_flow = -1;
  std::uint32_t lane = 0;
  std::uint64_t taken_before = 0;          // taken_by(target) when the lane began
  bool fin_seen = false, ready_soon = false;
};

class Relay {
 public:
  Relay(std::unique_ptr<Sockmap> map, std::uint16_t from, std::uint16_t to, std::uint64_t window, int receive)
      : map_(std::move(map)), to_(to), window_(window != 0 ? window : ~0ull >> 1), receive_(receive), listener_(listen_on(local(from))) {}

  void run() {
    sigset_t term;
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    sigprocmask(SIG_BLOCK, &term, nullptr);
    const int signals = signalfd(-1, &term, 0);
    fcntl(listener_, F_SETFL, O_NONBLOCK);
    for (int descriptor : {listener_, map_->bell(), signals}) watch(descriptor, EPOLLIN, reinterpret_cast<void*>(static_cast<std::intptr_t>(descriptor)));
    for (;;) {
      epoll_event events[64];
      const int n = epoll_wait(epoll_, events, 64, soon_.empty() ? -1 : poll_ms);
      std::set<Session*> due(soon_.begin(), soon_.end());
      soon_.clear();
      for (int i = 0; i < n; ++i) {
        const auto value = reinterpret_cast<std::intptr_t>(events[i].data.ptr);
        if (value == signals) return report();
        if (value == listener_) accept_all();
        else if (value == map_->bell()) map_->answer([&](std::uint32_t lane) { if (by_lane_[lane] != nullptr) due.insert(by_lane_[lane]); });
        else due.insert(static_cast<Session*>(events[i].data.ptr));
      }
      for (Session* s : due) turn(*s);
    }
  }

 private:
  void watch(int descriptor, std::uint32_t events, void* who, int operation = EPOLL_CTL_ADD) {
    epoll_event event{};
    event.events = events;
    event.data.ptr = who;
    epoll_ctl(epoll_, operation, descriptor, &event);
  }

  void accept_all() {
    for (int client; (client = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK)) >= 0;) {
      const int module = tcp_socket(), on = 1;
      const auto to = local(to_);
      if (connect(module, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) {
        close(client);
        close(module);
        continue;
      }
      fcntl(module, F_SETFL, O_NONBLOCK);
      for (int end : {client, module}) setsockopt(end, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      auto* s = new Session;
      s->end[0] = client;
      s->end[1] = module;
      turn(*s);
    }
  }

  // Everything that can be done for a session now.
  void turn(Session& s) {
    s.ready_soon = false;
    for (int flow : {0, 1}) {
      const bool well = s.lane_flow == flow ? move(s, flow) : copy(s, flow);
      if (!well) return finish(s, true);
    }
    if (s.passed_on[0] && s.passed_on[1]) return finish(s, false);
    for (int side : {0, 1}) {
      std::uint32_t wanted = s.rest[1 - side].empty() ? 0u : EPOLLOUT;
      if (s.lane_flow == side) wanted |= s.fin_seen ? 0u : EPOLLRDHUP;
      else if (!s.ended[side] && s.rest[side].empty()) wanted |= EPOLLIN;
      if (wanted == s.interest[side]) continue;
      watch(s.end[side], wanted, &s, s.interest[side] == 0 ? EPOLL_CTL_ADD : wanted == 0 ? EPOLL_CTL_DEL : EPOLL_CTL_MOD);
      s.interest[side] = wanted;
    }
    if (s.ready_soon) soon_.insert(&s);
  }

  bool flush(Session& s, int flow) {
    auto& rest = s.rest[flow];
    while (!rest.empty()) {
      const auto n = send(s.end[1 - flow], rest.data(), rest.size(), MSG_NOSIGNAL);
      if (n < 0) return errno == EAGAIN;
      rest.erase(rest.begin(), rest.begin() + n);
    }
    return true;
  }

  void pass_on_end(Session& s, int flow) {
    shutdown(s.end[1 - flow], SHUT_WR);
    s.passed_on[flow] = true;
  }

  bool copy(Session& s, int flow) {
    for (int i = 0; i < turns_max; ++i) {
      if (!flush(s, flow)) return false;
      if (!s.rest[flow].empty() || s.passed_on[flow]) return true;
      if (s.ended[flow]) {
        pass_on_end(s, flow);
        return true;
      }
      const auto n = recv(s.end[flow], buffer_.get(), chunk_bytes, 0);
      if (n < 0 && errno != EAGAIN) return false;
      if (n < 0) {
        if (s.bytes[flow] >= long_stream && s.lane_flow < 0) begin_lane(s, flow);
        return true;
      }
      if (n == 0) s.ended[flow] = true;
      s.bytes[flow] += static_cast<std::uint64_t>(n);
      s.rest[flow].assign(buffer_.get(), buffer_.get() + n);
    }
    s.ready_soon = true;
    return true;
  }

  void begin_lane(Session& s, int flow) {
    const auto lane = map_->join(s.end[flow], s.end[1 - flow]);
    if (!lane) {
      ++refused_;
      return;
    }
    s.lane_flow = flow;
    s.lane = *lane;
    s.taken_before = settled(s.end[1 - flow]);   // without credit nothing moves yet
    by_lane_[*lane] = &s;
    ++lanes_;
    if (receive_ > 0) setsockopt(s.end[flow], SOL_SOCKET, SO_RCVBUF, &receive_, sizeof receive_);
    s.ready_soon = true;
  }

  // taken_by when no acknowledgement came between its two questions; they end when nothing more is sent.
  static std::uint64_t settled(int socket) {
    for (auto value = taken_by(socket);;) {
      const auto again = taken_by(socket);
      if (again == value) return value;
      value = again;
    }
  }

  // The kernel's direction: grant credit for what the target has taken; send on what was handed up once all that was moved is out; and
  // pass the end on once both are. What the program sees after a byte was handed up is handed up too, so `moved` stands still then.
  bool move(Session& s, int flow) {
    Lane& lane = map_->lane(s.lane);
    if (lane.broken != 0) return false;
    const int source = s.end[flow], target = s.end[1 - flow];
    if (s.passed_on[flow]) return true;
    if (!flush(s, flow)) return false;
    if (!s.rest[flow].empty()) return true;
    if (lane.sent_on != handed_[s.lane]) lane.sent_on = handed_[s.lane];
    for (int i = 0; i < 8; ++i) {
      const std::uint64_t moved = lane.moved, out = taken_by(target) - s.taken_before - handed_[s.lane];
      if (out <= moved) backlog_max_ = std::max(backlog_max_, moved - out);
      lane.credit = out + window_;
      lane.ring_at = out + window_ / 2;
      std::uint8_t byte;
      const auto peeked = recv(source, &byte, 1, MSG_PEEK);   // also sets the program going on what came before the lane began
      if (peeked < 0 && errno != EAGAIN) return false;
      const bool up = peeked > 0, end = peeked == 0;
      if (!up && !end) {
        const bool low = moved >= out + window_ / 2;
        lane.ring_wanted = low ? 0 : 1;
        s.fin_seen = s.fin_seen || has_fin(source);
        if (low || s.fin_seen || lane.handed_up != lane.sent_on || lane.moved >= lane.ring_at) s.ready_soon = true;
        return true;
      }
      lane.ring_wanted = 0;
      s.fin_seen = s.fin_seen || end;
      if (out != lane.moved || out != moved) {
        s.ready_soon = true;
        return true;
      }
      if (end) {
        s.ended[flow] = true;
        pass_on_end(s, flow);
        return true;
      }
      const auto n = recv(source, buffer_.get(), chunk_bytes, 0);
      if (n <= 0) return n < 0 && errno == EAGAIN;
      handed_[s.lane] += static_cast<std::uint64_t>(n);
      s.rest[flow].assign(buffer_.get(), buffer_.get() + n);
      if (!flush(s, flow)) return false;
      if (!s.rest[flow].empty()) return true;
      lane.sent_on = handed_[s.lane];
    }
    s.ready_soon = true;
    return true;
  }

  static bool has_fin(int socket) {
    pollfd question{socket, POLLRDHUP, 0};
    return poll(&question, 1, 0) == 1;
  }

  void finish(Session& s, bool with_reset) {
    for (int end : s.end) {
      const linger abort{1, 0};
      if (with_reset) setsockopt(end, SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
      close(end);
    }
    if (s.lane_flow >= 0) {
      const Lane& lane = map_->lane(s.lane);
      moved_ += lane.moved;
      handed_up_ += lane.handed_up;
      cut_ += lane.cut;
      broken_ += lane.broken;
      by_lane_[s.lane] = nullptr;
      handed_[s.lane] = 0;
      map_->leave(s.lane);
    }
    copied_ += s.bytes[0] + s.bytes[1];
    soon_.erase(&s);
    graves_.emplace_back(&s);
    if (graves_.size() > 1024) graves_.erase(graves_.begin(), graves_.begin() + 512);   // an event of this batch may point at a late one
  }

  void report() {
    std::printf("{\"lanes\":%llu,\"refused\":%llu,\"moved\":%llu,\"handed_up\":%llu,\"copied\":%llu,\"cut\":%llu,\"broken\":%llu,\"backlog_max\":%llu}\n",
                u(lanes_), u(refused_), u(moved_), u(handed_up_), u(copied_), u(cut_), u(broken_), u(backlog_max_));
  }
  static unsigned long long u(std::uint64_t value) { return value; }

  std::unique_ptr<Sockmap> map_;
  std::uint16_t to_;
  std::uint64_t window_;
  int receive_, listener_, epoll_ = epoll_create1(0);
  std::unique_ptr<char[]> buffer_ = std::make_unique<char[]>(chunk_bytes);
  std::set<Session*> soon_;
  std::vector<std::unique_ptr<Session>> graves_;
  std::vector<Session*> by_lane_ = std::vector<Session*>(Sockmap::lanes_max);
  std::vector<std::uint64_t> handed_ = std::vector<std::uint64_t>(Sockmap::lanes_max);   // read from the source by us, by lane
  std::uint64_t lanes_ = 0, refused_ = 0, moved_ = 0, handed_up_ = 0, copied_ = 0, cut_ = 0, broken_ = 0, backlog_max_ = 0;
};

// --- overlap ----------------------------------------------------------------------------------------------------------------------

// A peer that speaks TCP by hand through a TUN device, so that it can retransmit as it likes.
class HandmadePeer {
 public:
  HandmadePeer() : tun_(open("/dev/net/tun", O_RDWR)) {
    ifreq request{};
    request.ifr_flags = IFF_TUN | IFF_NO_PI;
    std::strcpy(request.ifr_name, "trial0");
    if (tun_ < 0 || ioctl(tun_, TUNSETIFF, &request) != 0) die("a TUN device");
    if (std::system("ip addr add 10.9.0.1/24 dev trial0 && ip link set trial0 up mtu 60000") != 0) std::exit(1);
  }
  void connect(std::uint16_t port) {
    port_ = port;
    send(-1, 0, TH_SYN, nullptr, 0);
    acknowledged_ = ntohl(answer().seq) + 1;
    send(0, acknowledged_, TH_ACK, nullptr, 0);
  }
  void say(const std::string& all, int from, int to, std::uint8_t more_flags = 0) {
    send(from, acknowledged_, static_cast<std::uint8_t>(TH_ACK | TH_PUSH | more_flags), all.data() + from, to - from);
    usleep(3000);   // the relay's turn: what matters is what the segments look like, not when they come
  }

 private:
  static constexpr std::uint32_t first_sequence = 1001;
  static std::uint16_t sum(const std::uint8_t* at, int size, std::uint32_t sum) {
    for (int i = 0; i < size; ++i) sum += i % 2 == 0 ? static_cast<std::uint32_t>(at[i]) << 8 : at[i];
    while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<std::uint16_t>(sum);
  }
  void send(int position, std::uint32_t acknowledged, std::uint8_t flags, const char* text, int size) {
    std::vector<std::uint8_t> packet(static_cast<std::size_t>(40 + size));
    auto& ip = *reinterpret_cast<iphdr*>(packet.data());
    ip.version = 4;
    ip.ihl = 5;
    ip.tot_len = htons(static_cast<std::uint16_t>(packet.size()));
    ip.ttl = 64;
    ip.protocol = IPPROTO_TCP;
    ip.saddr = inet_addr("10.9.0.2");
    ip.daddr = inet_addr("10.9.0.1");
    ip.check = htons(static_cast<std::uint16_t>(~sum(packet.data(), 20, 0)));
    auto& tcp = *reinterpret_cast<tcphdr*>(packet.data() + 20);
    tcp.th_sport = htons(40000);
    tcp.th_dport = htons(port_);
    tcp.th_seq = htonl(first_sequence + static_cast<std::uint32_t>(position));
    tcp.th_ack = htonl(acknowledged);
    tcp.th_off = 5;
    tcp.th_flags = flags;
    tcp.th_win = htons(60000);
    if (size > 0) std::memcpy(packet.data() + 40, text, static_cast<std::size_t>(size));
    tcp.th_sum = htons(static_cast<std::uint16_t>(~sum(packet.data() + 20, 20 + size, sum(packet.data() + 12, 8, 0) + 6u + 20u + static_cast<std::uint32_t>(size))));
    if (write(tun_, packet.data(), packet.size()) != static_cast<ssize_t>(packet.size())) die("write to the TUN device");
  }
  tcphdr answer() {
    std::uint8_t packet[2048];
    for (;;) {
      pollfd question{tun_, POLLIN, 0};
      if (poll(&question, 1, 5000) != 1) die("no answer to the handshake");
      if (read(tun_, packet, sizeof packet) < 40 || packet[0] >> 4 != 4) continue;
      tcphdr tcp;
      std::memcpy(&tcp, packet + 20, sizeof tcp);
      return tcp;
    }
  }
  int tun_;
  std::uint16_t port_ = 0;
  std::uint32_t acknowledged_ = 0;
};

int overlap(std::unique_ptr<Sockmap> map) {
  HandmadePeer peer;
  auto any = local(0);
  any.sin_addr.s_addr = 0;
  const int listener = listen_on(any);
  socklen_t size = sizeof any;
  getsockname(listener, reinterpret_cast<sockaddr*>(&any), &size);
  const auto port = ntohs(any.sin_port);
  peer.connect(port);
  const int source = accept(listener, nullptr, nullptr), target = tcp_socket();
  const auto to = local(port);
  if (connect(target, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) die("connect");
  const int receiver = accept(listener, nullptr, nullptr);

  std::string all;
  for (int i = 0; i < 60000; ++i) all += static_cast<char>('a' + (i * 7 + i / 26) % 26);
  std::vector<char> buffer(1 << 20);
  peer.say(all, 0, 100);
  const auto first = recv(source, buffer.data(), buffer.size(), 0);   // user space's part of the stream
  if (first != 100 || send(target, buffer.data(), 100, 0) != 100) die("the first bytes");
  const auto lane = map->join(source, target);
  if (!lane) die("no lane");
  map->lane(*lane).credit = ~0ull >> 1;
  constexpr int pieces[][2] = {{50, 200}, {200, 300}, {250, 400}, {350, 5000}, {100, 6000}, {0, 50000}, {20000, 50001}, {50001, 60000}};
  for (const auto& [from, until] : pieces) peer.say(all, from, until);
  usleep(100000);
  const auto n = recv(receiver, buffer.data(), buffer.size(), MSG_DONTWAIT);
  const bool right = n == static_cast<ssize_t>(all.size()) && std::memcmp(buffer.data(), all.data(), all.size()) == 0;
  std::printf("sent %zu bytes in segments of which 6 overlap: received %zd, %s\n", all.size(), n, right ? "the same" : "CHANGED");
  return right ? 0 : 1;
}

}  // namespace
}  // namespace trial

int main(int count, char** words) {
  using namespace trial;
  const std::vector<std::string> arguments(words + 1, words + count);
  const auto is = [&](std::size_t at, const char* word) { return arguments.size() > at && arguments[at] == word; };
  std::string why_not;
  auto map = Sockmap::create(is(0, "overlap") && is(1, "plain") ? Program::plain : Program::guarded, why_not);
  if (map == nullptr) {
    std::fprintf(stderr, "bench_sockmap: no sockmap here: %s\n", why_not.c_str());
    return 1;
  }
  if (is(0, "probe")) return 0;
  if (is(0, "overlap")) return overlap(std::move(map));
  if (!is(0, "relay") || arguments.size() < 3) {
    std::fprintf(stderr, "usage: bench_sockmap probe | overlap plain|guarded | relay FROM TO [--window MIB] [--receive KIB]\n");
    return 2;
  }
  std::uint64_t window = 16;
  int receive = 128;
  for (std::size_t i = 3; i + 1 < arguments.size(); i += 2) {
    if (arguments[i] == "--window") window = std::stoull(arguments[i + 1]);
    if (arguments[i] == "--receive") receive = std::stoi(arguments[i + 1]);
  }
  Relay(std::move(map), static_cast<std::uint16_t>(std::stoi(arguments[1])), static_cast<std::uint16_t>(std::stoi(arguments[2])), window << 20, receive << 10).run();
}
