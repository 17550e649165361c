// How long a new replica takes to serve, learned from the time between order and first healthy registration: the 90 % point of the
// last 32, at most an hour. Until three are known, the policy's figure.
#pragma once

#include <vector>

#include "libnlb/core/time.hpp"

namespace nlb::scale {

class StartupDelay {
 public:
  explicit StartupDelay(Duration assumed) : assumed_(assumed) {}
  void observed(Duration took);
  Duration estimate() const;
  const std::vector<Duration>& samples() const { return samples_; }   // oldest first
  template <class V> void visit(V& v) { v("samples", samples_); }

 private:
  Duration assumed_;
  std::vector<Duration> samples_;
};

}  // namespace nlb::scale
