// Pipes for splice(2): a bounded pool per worker, 256 KiB each.
//
// Beyond fs.pipe-user-pages-soft (64 MiB a user) the kernel shrinks new pipes to one or two pages, where splicing loses to copying;
// so every pipe is asked for its size, a small one is given back, and the pool stays dry for a while. A pipe that still holds bytes
// is destroyed, never pooled. Owner: one worker.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "libnlb/relay/held.hpp"

namespace nlb::relay {

class PipePool {
 public:
  static constexpr std::uint32_t pipe_bytes = 256 * 1024;

  explicit PipePool(std::uint32_t pipes_max) : pipes_max_(pipes_max) {}
  ~PipePool();
  PipePool(const PipePool&) = delete;
  PipePool& operator=(const PipePool&) = delete;

  std::optional<Pipe> take();    // nullopt: the bound is reached or the system gives none; copy instead
  void give_back(Pipe& pipe);    // leaves `pipe` empty
  std::uint32_t in_use() const { return open_ - static_cast<std::uint32_t>(free_.size()); }

 private:
  void destroy(Pipe& pipe);
  std::vector<Pipe> free_;
  std::uint32_t pipes_max_;
  std::uint32_t open_ = 0;
};

// Sends bytes through splice over a pair of sockets and compares: false where the kernel (or a sandbox) breaks it.
bool splice_works();

}  // namespace nlb::relay
