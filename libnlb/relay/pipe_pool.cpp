#include "libnlb/relay/pipe_pool.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstring>

namespace nlb::relay {

PipePool::~PipePool() {
  for (auto& pipe : free_) destroy(pipe);
}

std::optional<Pipe> PipePool::take() {
  if (!free_.empty()) {
    const Pipe pipe = free_.back();
    free_.pop_back();
    return pipe;
  }
  if (open_ >= pipes_max_) return std::nullopt;
  int ends[2];
  if (pipe2(ends, O_NONBLOCK | O_CLOEXEC) != 0) return std::nullopt;
  ++open_;
  fcntl(ends[1], F_SETPIPE_SZ, pipe_bytes);
  const int capacity = fcntl(ends[1], F_GETPIPE_SZ);
  Pipe pipe{ends[0], ends[1], capacity > 0 ? static_cast<std::uint32_t>(capacity) : 0, 0};
  if (pipe.capacity < 64 * 1024) {
    destroy(pipe);
    pipes_max_ = open_;   // the user's share of pipe pages is used up: no more than now
    return std::nullopt;
  }
  return pipe;
}

void PipePool::give_back(Pipe& pipe) {
  if (!pipe) return;
  if (pipe.filled > 0) destroy(pipe);
  else free_.push_back(pipe);
  pipe = {};
}

void PipePool::destroy(Pipe& pipe) {
  close(pipe.read_end);
  close(pipe.write_end);
  --open_;
}

bool splice_works() {
  int in[2], out[2], pipe_ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, in) != 0) return false;
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, out) != 0) { close(in[0]); close(in[1]); return false; }
  bool works = false;
  if (pipe2(pipe_ends, O_NONBLOCK | O_CLOEXEC) == 0) {
    static constexpr char probe[] = "splice self-test";
    std::array<char, sizeof probe> back{};
    works = write(in[0], probe, sizeof probe) == sizeof probe &&
            splice(in[1], nullptr, pipe_ends[1], nullptr, sizeof probe, SPLICE_F_NONBLOCK) == sizeof probe &&
            splice(pipe_ends[0], nullptr, out[0], nullptr, sizeof probe, SPLICE_F_NONBLOCK) == sizeof probe &&
            read(out[1], back.data(), back.size()) == sizeof probe && std::memcmp(back.data(), probe, sizeof probe) == 0;
    close(pipe_ends[0]);
    close(pipe_ends[1]);
  }
  for (int fd : {in[0], in[1], out[0], out[1]}) close(fd);
  return works;
}

}  // namespace nlb::relay
