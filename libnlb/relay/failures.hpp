// The failures that a worker saw, one by one, for who judges versions by distinct clients. One worker writes, the control thread takes
// everything once a second; bounded, since an outage fails every session: what doesn't fit is only counted by the module's cell.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "libnlb/core/address.hpp"
#include "libnlb/core/time.hpp"
#include "libnlb/route/module_state.hpp"

namespace nlb::relay {

struct Failure {
  std::shared_ptr<const route::ModuleState> module;   // may have left since
  IpAddress client;
  MonoTime attempted;                           // the second it is booked in
  bool connect = false;                         // no session came of it
};

class FailureLog {
 public:
  static constexpr std::size_t failures_max = 20000;
  void add(Failure failure) {
    const std::lock_guard lock(mutex_);
    if (failures_.size() < failures_max) failures_.push_back(std::move(failure));
  }
  std::vector<Failure> take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(failures_, {});
  }

 private:
  std::mutex mutex_;   // taken once per failure and once a second
  std::vector<Failure> failures_;
};

}  // namespace nlb::relay
