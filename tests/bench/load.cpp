// The load generator of dataplane.sh: one thread and one epoll set per role, so that what is measured is the proxy between the roles.
//
//   load server PORT                     serves every work on 0.0.0.0:PORT until it is killed; prints "ready"
//   load client WORK HOST:PORT [--flight N] [--seconds S] [--watch PID,PID..] [--label JSON]
//
// WORK is connect, pingpong, bulk-down, bulk-up or idle. Every session opens with one Redis command of exactly 64 bytes, so that a
// proxy which detects protocols finds a real one; the first byte of the command's argument tells the server what to do: `c` answer
// 64 bytes and close first, `p` answer every 64 bytes, `d` send without end, `u` swallow without end. Bulk bytes are discarded in the
// kernel (MSG_TRUNC, tcp(7)), so the receiver costs less than the proxy. A client prints one JSON line: what was done within the
// measured window, and what the watched processes spent on it (utime and stime of /proc/PID/stat; segments sent from
// /proc/net/snmp; for idle: resident memory before and after).
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t message_bytes = 64;
constexpr std::size_t chunk_bytes = 256 * 1024;
constexpr std::size_t discard_bytes = 4 * 1024 * 1024;
constexpr double warm_up_seconds = 0.3;
constexpr int idle_opening = 64;          // sessions that idle mode opens at the same time
constexpr std::size_t latencies_max = 4'000'000;

[[noreturn]] void die(const std::string& what) {
  std::cerr << "load: " << what << ": " << std::strerror(errno) << "\n";
  std::exit(1);
}

// "*2\r\n$4\r\nECHO\r\n$43\r\n" + 43 bytes + "\r\n" is 64 bytes.
std::string request(char work) { return "*2\r\n$4\r\nECHO\r\n$43\r\n" + std::string(43, work) + "\r\n"; }
const std::string answer = "$57\r\n" + std::string(57, 'a') + "\r\n";
constexpr std::size_t work_at = 19;

const std::vector<char> chunk(chunk_bytes, 'x');
std::vector<char> scratch(discard_bytes);

class Poller {
 public:
  void add(int descriptor, std::uint32_t events) { control(EPOLL_CTL_ADD, descriptor, events); }
  void change(int descriptor, std::uint32_t events) { control(EPOLL_CTL_MOD, descriptor, events); }
  template <class F>
  void wait(int milliseconds, F&& each) {
    epoll_event events[256];
    const int count = epoll_wait(set_, events, 256, milliseconds);
    for (int i = 0; i < count; ++i) each(events[i].data.fd, events[i].events);
  }

 private:
  void control(int operation, int descriptor, std::uint32_t events) {
    epoll_event event{};
    event.events = events;
    event.data.fd = descriptor;
    if (epoll_ctl(set_, operation, descriptor, &event) != 0) die("epoll_ctl");
  }
  int set_ = epoll_create1(EPOLL_CLOEXEC);
};

void no_delay(int descriptor) {
  const int on = 1;
  setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

// --- the server: level-triggered, one step per event, so that sessions take turns ---------------------------------------------------

struct Served { char work = 0; std::size_t pending = 0; };

class Server {
 public:
  explicit Server(std::uint16_t port) {
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const int on = 1;
    setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    no_delay(listener_);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    if (bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) die("bind");
    if (listen(listener_, 65535) != 0) die("listen");
    poller_.add(listener_, EPOLLIN);
  }
  void run() {
    std::cout << "ready" << std::endl;
    for (;;)
      poller_.wait(-1, [this](int descriptor, std::uint32_t events) {
        if (descriptor == listener_) accept_all();
        else if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR) ? receive(descriptor) : produce(descriptor))) close(descriptor);
      });
  }

 private:
  void accept_all() {
    for (int client; (client = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
      if (sessions_.size() <= static_cast<std::size_t>(client)) sessions_.resize(static_cast<std::size_t>(client) * 2 + 64);
      sessions_[static_cast<std::size_t>(client)] = {};
      poller_.add(client, EPOLLIN);
    }
  }
  bool receive(int descriptor) {   // false: the session is over
    Served& s = sessions_[static_cast<std::size_t>(descriptor)];
    const bool discard = s.work == 'u';
    const auto n = recv(descriptor, scratch.data(), discard ? discard_bytes : chunk_bytes, discard ? MSG_TRUNC : 0);
    if (n <= 0) return n < 0 && errno == EAGAIN;
    if (discard) return true;
    if (s.work == 0 && static_cast<std::size_t>(n) > work_at) s.work = scratch[work_at];
    s.pending += static_cast<std::size_t>(n);
    if (s.work == 'd') {
      poller_.change(descriptor, EPOLLIN | EPOLLOUT);
      return true;
    }
    for (; s.pending >= message_bytes && s.work != 'u'; s.pending -= message_bytes) {
      if (send(descriptor, answer.data(), answer.size(), MSG_NOSIGNAL) < 0) return false;
      if (s.work == 'c') return false;
    }
    return true;
  }
  static bool produce(int descriptor) {
    return send(descriptor, chunk.data(), chunk.size(), MSG_NOSIGNAL) >= 0 || errno == EAGAIN;
  }

  Poller poller_;
  int listener_ = -1;
  std::vector<Served> sessions_;   // by descriptor
};

// --- what the watched processes spent -----------------------------------------------------------------------------------------------

struct Spent {
  double user_s = 0, system_s = 0;
  std::uint64_t resident_bytes = 0, segments = 0;
};

void add_process(Spent& spent, int pid) {
  const auto folder = "/proc/" + std::to_string(pid);
  std::ifstream stat(folder + "/stat");
  std::string line;
  std::getline(stat, line);
  std::istringstream fields(line.substr(std::min(line.rfind(')') + 2, line.size())));
  std::string skipped;
  double user = 0, system = 0;
  for (int i = 3; i < 14; ++i) fields >> skipped;   // proc(5): utime is field 14
  if (!(fields >> user >> system)) die("process " + std::to_string(pid) + " has gone");
  const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
  spent.user_s += user / ticks;
  spent.system_s += system / ticks;
  std::uint64_t size = 0, resident = 0;
  std::ifstream(folder + "/statm") >> size >> resident;
  spent.resident_bytes += resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

std::uint64_t segments_sent() {
  std::ifstream snmp("/proc/self/net/snmp");
  std::string names, values;
  while (std::getline(snmp, names) && std::getline(snmp, values)) {
    std::istringstream n(names), v(values);
    std::string name, value;
    while (n >> name && v >> value)
      if (name == "OutSegs") return std::stoull(value);
  }
  return 0;
}

Spent spent_by(const std::vector<int>& pids) {
  Spent spent;
  for (int pid : pids) add_process(spent, pid);
  spent.segments = segments_sent();
  return spent;
}

// --- the client: `flight` sessions at the same time; edge-triggered, but for bulk, where sessions take turns --------------------------

struct Options {
  std::string work, label;
  sockaddr_in to{};
  int flight = 64;
  double seconds = 2;
  std::vector<int> watch;
};

struct Asked { bool sent = false; std::size_t received = 0; Clock::time_point since; };

class Client {
 public:
  explicit Client(const Options& options) : options_(options), up_(options.work == "bulk-up"), bulk_(up_ || options.work == "bulk-down"),
                                            request_(request(letter_of(options.work))) {}

  void run() {
    if (options_.work == "idle") return run_idle();
    for (int i = 0; i < options_.flight; ++i) open();
    work_for(warm_up_seconds);
    ops_ = bytes_ = errors_ = 0;
    latencies_.clear();
    const auto before = spent_by(options_.watch);
    const auto start = Clock::now();
    work_for(options_.seconds);
    const std::chrono::duration<double> took = Clock::now() - start;
    report(before, spent_by(options_.watch), took.count());
  }

 private:
  static char letter_of(const std::string& work) {
    if (work == "connect") return 'c';
    if (work == "bulk-down") return 'd';
    if (work == "bulk-up") return 'u';
    return 'p';   // pingpong, idle
  }

  void run_idle() {   // every session makes one exchange and stays
    const auto before = spent_by(options_.watch);
    const auto start = Clock::now();
    int opened = 0;
    while (static_cast<int>(ops_) < options_.flight && Clock::now() - start < std::chrono::seconds(60)) {
      for (; opened < options_.flight && opened - static_cast<int>(ops_) < idle_opening; ++opened) open();
      poll(20);
    }
    if (static_cast<int>(ops_) < options_.flight) die("only " + std::to_string(ops_) + " sessions could be opened");
    const std::chrono::duration<double> took = Clock::now() - start;
    report(before, spent_by(options_.watch), took.count());
  }

  void work_for(double seconds) {
    const auto end = Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
    while (Clock::now() < end) poll(20);
  }
  void poll(int milliseconds) {
    poller_.wait(milliseconds, [this](int descriptor, std::uint32_t events) { on_event(descriptor, events); });
  }

  void open() {
    const int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | (bulk_ ? 0 : SOCK_NONBLOCK), 0);
    if (s < 0) die("socket");
    no_delay(s);
    if (connect(s, reinterpret_cast<const sockaddr*>(&options_.to), sizeof options_.to) != 0 && errno != EINPROGRESS) die("connect");
    if (bulk_) fcntl(s, F_SETFL, O_NONBLOCK);
    if (sessions_.size() <= static_cast<std::size_t>(s)) sessions_.resize(static_cast<std::size_t>(s) * 2 + 64);
    at(s) = {false, 0, Clock::now()};
    ask(s);   // on loopback the handshake is over by now; else the event that the socket is writable comes
    poller_.add(s, !bulk_ ? EPOLLIN | EPOLLOUT | EPOLLET : up_ ? EPOLLOUT : EPOLLIN);
  }
  Asked& at(int s) { return sessions_[static_cast<std::size_t>(s)]; }

  bool ask(int s) {
    if (send(s, request_.data(), request_.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(message_bytes)) return false;
    at(s).sent = true;
    return true;
  }

  void on_event(int s, std::uint32_t events) {
    if (!at(s).sent && (events & EPOLLOUT) && !ask(s)) return again(s, true);
    if (up_) return produce(s);
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) receive(s);
  }

  void produce(int s) {
    const auto n = send(s, chunk.data(), chunk.size(), MSG_NOSIGNAL);
    if (n > 0) bytes_ += static_cast<std::uint64_t>(n);
    else if (errno != EAGAIN) again(s, true);
  }

  void receive(int s) {
    for (;;) {
      const auto n = recv(s, scratch.data(), discard_bytes, bulk_ ? MSG_TRUNC : 0);
      if (n < 0 && errno == EAGAIN) return;
      if (n <= 0) return again(s, n < 0 || at(s).received != message_bytes);
      bytes_ += static_cast<std::uint64_t>(n);
      if (bulk_) return;
      at(s).received += static_cast<std::size_t>(n);
      if (options_.work == "connect") continue;   // it is done when the server has closed
      if (at(s).received < message_bytes) return;
      done(s);
      if (options_.work == "idle") return;
      at(s) = {false, 0, Clock::now()};
      if (!ask(s)) return again(s, true);
      return;
    }
  }

  void done(int s) {
    ++ops_;
    if (latencies_.size() < latencies_max)
      latencies_.push_back(static_cast<std::uint32_t>((Clock::now() - at(s).since) / std::chrono::nanoseconds(1) / 100));
  }
  void again(int s, bool failed) {   // this session is over; the next one takes its place
    if (failed) ++errors_;
    else done(s);
    close(s);
    if (errors_ > 10000) die("too many failed sessions");
    open();
  }

  double latency_us(double share) {
    if (latencies_.empty()) return 0;
    const auto nth = latencies_.begin() + static_cast<std::ptrdiff_t>(share * static_cast<double>(latencies_.size() - 1));
    std::nth_element(latencies_.begin(), nth, latencies_.end());
    return *nth / 10.0;
  }

  void report(const Spent& before, const Spent& after, double seconds) {
    std::printf("{%s%s\"work\":\"%s\",\"flight\":%d,\"seconds\":%.3f,\"ops\":%llu,\"bytes\":%llu,\"errors\":%llu,\"user_s\":%.2f,\"system_s\":%.2f,"
                "\"segments\":%llu,\"resident_before_bytes\":%llu,\"resident_bytes\":%llu,\"p50_us\":%.1f,\"p99_us\":%.1f}\n",
                options_.label.c_str(), options_.label.empty() ? "" : ",", options_.work.c_str(), options_.flight, seconds,
                static_cast<unsigned long long>(ops_), static_cast<unsigned long long>(bytes_), static_cast<unsigned long long>(errors_),
                after.user_s - before.user_s, after.system_s - before.system_s,
                static_cast<unsigned long long>(after.segments - before.segments), static_cast<unsigned long long>(before.resident_bytes),
                static_cast<unsigned long long>(after.resident_bytes), latency_us(0.5), latency_us(0.99));
  }

  Options options_;
  bool up_, bulk_;
  std::string request_;
  Poller poller_;
  std::vector<Asked> sessions_;   // by descriptor
  std::vector<std::uint32_t> latencies_;   // in 100 ns
  std::uint64_t ops_ = 0, bytes_ = 0, errors_ = 0;
};

sockaddr_in parse_address(const std::string& text) {
  const auto colon = text.rfind(':');
  sockaddr_in address{};
  address.sin_family = AF_INET;
  if (colon == std::string::npos || inet_pton(AF_INET, text.substr(0, colon).c_str(), &address.sin_addr) != 1) {
    std::cerr << "load: " << text << " is not HOST:PORT\n";
    std::exit(2);
  }
  address.sin_port = htons(static_cast<std::uint16_t>(std::stoul(text.substr(colon + 1))));
  return address;
}

Options parse(int argc, char** argv) {
  Options options;
  options.work = argv[2];
  options.to = parse_address(argv[3]);
  for (int i = 4; i + 1 < argc; i += 2) {
    const std::string name = argv[i], value = argv[i + 1];
    if (name == "--flight") options.flight = std::stoi(value);
    if (name == "--seconds") options.seconds = std::stod(value);
    if (name == "--label") options.label = value;
    if (name == "--watch") {
      std::istringstream pids(value);
      for (std::string pid; std::getline(pids, pid, ',');) options.watch.push_back(std::stoi(pid));
    }
  }
  return options;
}

}  // namespace

int main(int argc, char** argv) {
  signal(SIGPIPE, SIG_IGN);
  const std::string role = argc > 2 ? argv[1] : "";
  if (role == "server") Server(static_cast<std::uint16_t>(std::stoul(argv[2]))).run();
  if (role == "client" && argc > 3) {
    Client(parse(argc, argv)).run();
    return 0;
  }
  std::cerr << "usage: load server PORT | load client WORK HOST:PORT [--flight N] [--seconds S] [--watch PID,PID..] [--label JSON]\n";
  return 2;
}
