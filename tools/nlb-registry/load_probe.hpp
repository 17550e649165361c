// The load that a heartbeat reports for a module which doesn't speak to the registry itself: figures from a file that it writes, and CPU
// and memory of its process where the file doesn't name them. What isn't known is left out.
#pragma once

#include <sys/types.h>

#include <string>

#include "libnlb/core/time.hpp"
#include "nlb/v1/registry.pb.h"

namespace nlb::registrar {

inline constexpr std::size_t load_file_bytes_max = 4096;

// "cpu_percent 12.5" a line; names of nlb.v1.Load. Unknown names and values that are no numbers are passed over.
v1::Load parse_load(const std::string& text);

class LoadProbe {
 public:
  explicit LoadProbe(std::string file) : file_(std::move(file)) {}
  v1::Load sample(pid_t process, MonoTime now);   // process 0: none; CPU is over the time since the last sample, of all processors

 private:
  void add_process(v1::Load& load, pid_t process, MonoTime now);
  std::string file_;
  double cpu_seconds_ = 0;
  MonoTime at_{};
};

}  // namespace nlb::registrar
