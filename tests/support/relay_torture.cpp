// Tortures whatever relays one port to another: sends known bytes through it and looks at every byte that comes out.
//
//   relay_torture --listen PORT --via PORT [--gib N] [--sessions K] [--session-mib M] [--seed S] [--stall SECONDS]
//
// Both ends are in this process: clients connect to --via, the relay connects to --listen. K sessions run at a time until N GiB are
// verified. A session draws, from the seed: how much goes up and down (up to M MiB), at once or one after the other (the answer waits
// for the client's end of stream), in writes of 1 byte to 1 MiB; whether a reader is slow (small buffer, drips and naps); and
// whether an end resets in the middle. Byte i of a stream follows from the seed and i, so loss, doubling, reordering and bytes of another
// session all show. Without a reset every byte and then the end of stream must come; with one the other end must see the reset, not
// an orderly end. Nothing may stand still for --stall seconds. Prints one JSON line; the exit code is 1 when anything was wrong.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace {

constexpr std::size_t chunk_max = 1 << 20;
constexpr std::uint64_t drip_bytes = 8 << 20;       // a dripping reader is slow for so long
constexpr std::uint64_t drip_stream_max = 32 << 20;
constexpr std::uint64_t small_session = 256 << 10;
constexpr int naps_max = 3;

struct Plan {
  std::uint64_t seed, up, down, reset_at;
  std::uint32_t resets;          // 0 nobody, 1 the client, 2 the server
  std::uint32_t answer_waits;    // the server's bytes come after the client's end of stream
  std::uint32_t slow[2];         // reader of up, of down: 0 not, 1 drips, 2 naps
};

struct Settings {
  std::uint16_t listen = 0, via = 0;
  double gib = 1;
  int sessions = 4, stall = 30;
  std::uint64_t session_mib = 64, seed = 1;
} settings;

struct { std::atomic<std::uint64_t> bytes, sessions, resets, half_closes, slow, wrong; } seen;
std::atomic<int> serving = 0;     // server ends that are not through

void wrong(const Plan& plan, const char* what, std::uint64_t at) {
  ++seen.wrong;
  std::fprintf(stderr, "WRONG: %s at byte %llu (up %llu, down %llu, slow %u %u, resets %u at %llu, seed %llx)\n", what, static_cast<unsigned long long>(at),
               static_cast<unsigned long long>(plan.up), static_cast<unsigned long long>(plan.down), plan.slow[0], plan.slow[1], plan.resets,
               static_cast<unsigned long long>(plan.reset_at), static_cast<unsigned long long>(plan.seed));
}

// The bytes of a stream: little-endian words that grow by an odd step, so no two of them are equal.
class Pattern {
 public:
  explicit Pattern(std::uint64_t seed) : seed_(seed) {}
  const std::uint8_t* at(std::uint64_t position, std::size_t size) {
    std::uint64_t word = seed_ + position / 8 * step;
    for (std::size_t i = 0; i < (position % 8 + size + 7) / 8; ++i, word += step) words_[i] = word;
    return reinterpret_cast<const std::uint8_t*>(words_.get()) + position % 8;
  }

 private:
  static constexpr std::uint64_t step = 0x9e3779b97f4a7c15;
  std::uint64_t seed_;
  std::unique_ptr<std::uint64_t[]> words_ = std::make_unique<std::uint64_t[]>(chunk_max / 8 + 2);
};

std::size_t chunk_size(std::mt19937_64& random) {
  const auto kind = random() % 20;
  return 1 + random() % (kind == 0 ? 64 : kind < 10 ? 64 << 10 : chunk_max);
}

void set_timeout(int socket) {
  const timeval limit{settings.stall, 0};
  setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

void reset(int socket) {
  const linger abort{1, 0};
  setsockopt(socket, SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
  close(socket);
}

bool was_reset(int error) { return error == ECONNRESET || error == EPIPE; }

// Sends `total` bytes of a stream, or up to the reset. False: the connection is of no more use.
bool write_stream(int socket, const Plan& plan, std::uint64_t seed, std::uint64_t total) {
  Pattern pattern(seed);
  std::mt19937_64 random(seed + 1);
  for (std::uint64_t at = 0; at < total;) {
    const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(chunk_size(random), total - at));
    const auto n = send(socket, pattern.at(at, size), size, MSG_NOSIGNAL);
    if (n < 0) {
      wrong(plan, errno == EAGAIN ? "a stall while sending" : std::strerror(errno), at);
      return false;
    }
    at += static_cast<std::uint64_t>(n);
  }
  return true;
}

void rest(std::uint32_t kind, std::uint64_t at, int& naps, std::mt19937_64& random) {
  using std::chrono::milliseconds;
  if (kind == 1 && at < drip_bytes) std::this_thread::sleep_for(milliseconds(1));
  if (kind == 2 && naps < naps_max && random() % 64 == 0) {
    ++naps;
    std::this_thread::sleep_for(milliseconds(200));
  }
}

// Reads a stream to its end and looks at every byte.
void read_stream(int socket, const Plan& plan, std::uint64_t seed, std::uint64_t total, std::uint32_t slow, bool reset_comes) {
  Pattern pattern(seed);
  std::mt19937_64 random(seed + 2);
  const auto buffer = std::make_unique<std::uint8_t[]>(chunk_max);
  int naps = 0;
  for (std::uint64_t at = 0;;) {
    const auto n = recv(socket, buffer.get(), slow == 1 && at < drip_bytes ? 1 + random() % (64 << 10) : chunk_max, 0);
    if (n < 0 && reset_comes && was_reset(errno)) return;
    if (n < 0) return wrong(plan, errno == EAGAIN ? "a stall while receiving" : std::strerror(errno), at);
    if (n == 0 && reset_comes) return wrong(plan, "an orderly end instead of a reset", at);
    if (n == 0 && at != total) return wrong(plan, "the end of the stream comes too early", at);
    if (n == 0) return;
    const auto size = static_cast<std::size_t>(n);
    if (at + size > total) return wrong(plan, "more bytes than were sent", at);
    if (std::memcmp(buffer.get(), pattern.at(at, size), size) != 0) return wrong(plan, "bytes that were not sent here", at);
    at += size;
    seen.bytes += size;
    rest(slow, at, naps, random);
  }
}

sockaddr_in local(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

void make_slow(int socket, std::uint32_t kind) {
  const int small = 32 << 10;
  if (kind == 1) setsockopt(socket, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
}

void serve(int socket) {
  set_timeout(socket);
  Plan plan{};
  if (recv(socket, &plan, sizeof plan, MSG_WAITALL) != sizeof plan) {
    if (!was_reset(errno)) wrong(plan, "a plan that does not come", 0);
    close(socket);
    return;
  }
  make_slow(socket, plan.slow[0]);
  const auto answer = [&] {
    if (plan.resets == 2) {
      write_stream(socket, plan, plan.seed + 2, plan.reset_at);
      reset(socket);
    } else if (write_stream(socket, plan, plan.seed + 2, plan.down)) {
      shutdown(socket, SHUT_WR);
    }
  };
  if (plan.resets == 2) return answer();
  std::thread writer;
  if (!plan.answer_waits) writer = std::thread(answer);
  read_stream(socket, plan, plan.seed + 1, plan.up, plan.slow[0], plan.resets == 1);
  if (plan.answer_waits && plan.resets == 0) answer();
  if (writer.joinable()) writer.join();
  close(socket);
}

void listen_for_ever(int listener) {
  for (;;) {
    const int socket = accept(listener, nullptr, nullptr);
    if (socket < 0) continue;
    ++serving;
    std::thread([socket] {
      serve(socket);
      --serving;
    }).detach();
  }
}

Plan draw(std::mt19937_64& random) {
  Plan plan{};
  plan.seed = random();
  const auto large = [&] { return 1 + random() % (settings.session_mib << 20); };
  const auto small = [&] { return random() % small_session; };
  switch (random() % 4) {
    case 0: plan.up = large(), plan.down = small(); break;
    case 1: plan.up = small(), plan.down = large(); break;
    case 2: plan.up = large(), plan.down = large(); break;
    default: plan.up = small(), plan.down = small(); break;
  }
  plan.answer_waits = random() % 2;
  for (auto& slow : plan.slow) slow = random() % 4 == 0 ? 1 + random() % 2 : 0;
  // Through a small buffer a long stream takes minutes, and who waits for its end would seem to stand still.
  const auto cap = [](std::uint32_t slow, std::uint64_t& bytes) { if (slow == 1) bytes = std::min(bytes, drip_stream_max); };
  if (random() % 5 == 0) {
    plan.resets = 1 + random() % 2;
    plan.answer_waits = 1;
    plan.up = plan.resets == 1 ? large() : 0;
    plan.down = plan.resets == 2 ? large() : 0;
  }
  cap(plan.slow[0], plan.up);
  cap(plan.slow[1], plan.down);
  plan.reset_at = random() % (plan.up + plan.down + 1);
  return plan;
}

void run_session(const Plan& plan) {
  const int client = socket(AF_INET, SOCK_STREAM, 0);
  set_timeout(client);
  make_slow(client, plan.slow[1]);
  const auto to = local(settings.via);
  if (connect(client, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) {
    wrong(plan, "no connection", 0);
    close(client);
    return;
  }
  send(client, &plan, sizeof plan, MSG_NOSIGNAL);
  if (plan.resets == 1) {
    write_stream(client, plan, plan.seed + 1, plan.reset_at);
    return reset(client);
  }
  std::thread writer([&] {
    if (write_stream(client, plan, plan.seed + 1, plan.up) && plan.resets == 0) shutdown(client, SHUT_WR);
  });
  read_stream(client, plan, plan.seed + 2, plan.down, plan.slow[1], plan.resets == 2);
  writer.join();
  close(client);
}

void run_sessions(int number) {
  std::mt19937_64 random(settings.seed * 1000 + static_cast<std::uint64_t>(number));
  while (static_cast<double>(seen.bytes) < settings.gib * (1 << 30) && seen.wrong == 0) {
    const auto plan = draw(random);
    run_session(plan);
    ++seen.sessions;
    seen.resets += plan.resets != 0;
    seen.half_closes += plan.resets == 0 && plan.answer_waits;
    seen.slow += plan.slow[0] != 0 || plan.slow[1] != 0;
  }
}

void read_arguments(int count, char** words) {
  for (int i = 1; i + 1 < count; i += 2) {
    const std::string word = words[i];
    const char* value = words[i + 1];
    if (word == "--listen") settings.listen = static_cast<std::uint16_t>(std::atoi(value));
    else if (word == "--via") settings.via = static_cast<std::uint16_t>(std::atoi(value));
    else if (word == "--gib") settings.gib = std::atof(value);
    else if (word == "--sessions") settings.sessions = std::atoi(value);
    else if (word == "--session-mib") settings.session_mib = std::strtoull(value, nullptr, 10);
    else if (word == "--seed") settings.seed = std::strtoull(value, nullptr, 10);
    else if (word == "--stall") settings.stall = std::atoi(value);
    else std::exit((std::fprintf(stderr, "relay_torture: unknown option %s\n", words[i]), 2));
  }
}

}  // namespace

int main(int count, char** words) {
  read_arguments(count, words);
  const int listener = socket(AF_INET, SOCK_STREAM, 0), on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const auto at = local(settings.listen);
  if (bind(listener, reinterpret_cast<const sockaddr*>(&at), sizeof at) != 0 || listen(listener, 1024) != 0) {
    std::perror("relay_torture: listen");
    return 1;
  }
  std::thread(listen_for_ever, listener).detach();
  const auto start = std::chrono::steady_clock::now();
  std::vector<std::thread> clients;
  for (int i = 0; i < settings.sessions; ++i) clients.emplace_back(run_sessions, i);
  for (auto& client : clients) client.join();
  for (int waited_ms = 0; serving > 0 && waited_ms < settings.stall * 1000; ++waited_ms) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  if (serving > 0) {
    std::fprintf(stderr, "WRONG: %d server ends are not through\n", serving.load());
    ++seen.wrong;
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  std::printf("{\"verified_gib\":%.2f,\"seconds\":%.1f,\"sessions\":%llu,\"half_closes\":%llu,\"resets\":%llu,\"slow_readers\":%llu,\"wrong\":%llu}\n",
              static_cast<double>(seen.bytes) / (1 << 30), seconds, static_cast<unsigned long long>(seen.sessions),
              static_cast<unsigned long long>(seen.half_closes), static_cast<unsigned long long>(seen.resets),
              static_cast<unsigned long long>(seen.slow), static_cast<unsigned long long>(seen.wrong));
  std::fflush(stdout);
  std::_Exit(seen.wrong == 0 ? 0 : 1);   // the listening thread never ends
}
