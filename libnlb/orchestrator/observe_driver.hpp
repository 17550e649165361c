// Recommends only: remembers what was wanted, starts and stops nothing, and sees nobody (`counted` is false: count by the registry).
#pragma once

#include <atomic>

#include "libnlb/orchestrator/driver.hpp"

namespace nlb::orchestrator {

class ObserveDriver : public Driver {
 public:
  std::string_view kind() const override { return "observe"; }
  Result<Observation> observe(MonoTime) override {
    Observation out;
    out.desired = wanted_;
    out.counted = false;
    return out;
  }
  Result<> set(std::uint32_t count, const std::string&, MonoTime) override {
    wanted_ = count;
    return {};
  }
  Result<> remove(const std::string&, Duration, MonoTime) override { return {}; }

 private:
  std::atomic<std::uint32_t> wanted_{0};
};

}  // namespace nlb::orchestrator
