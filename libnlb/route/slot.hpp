// One reserved session on a module: taken by the pick itself, given back by the destructor. Move-only, eight bytes.
// A slot starts as connecting (it counts in `pending` for the circuit breaker); say connected() when the module has
// answered. The module's state outlives every slot on it: the roster keeps states with sessions.
#pragma once

#include <cstdint>
#include <utility>

#include "libnlb/route/module_state.hpp"

namespace nlb::route {

class Slot {
 public:
  Slot() = default;
  // Empty when the module is full.
  static Slot reserve(ModuleState& module) {
    if (!module.reserve(module.max_connections.load(std::memory_order_relaxed))) return {};
    module.pending.fetch_add(1, std::memory_order_relaxed);
    return Slot(&module);
  }
  Slot(Slot&& other) noexcept : word_(std::exchange(other.word_, 0)) {}
  Slot& operator=(Slot&& other) noexcept {
    if (this != &other) {
      release();
      word_ = std::exchange(other.word_, 0);
    }
    return *this;
  }
  ~Slot() { release(); }

  explicit operator bool() const { return word_ != 0; }
  ModuleState* module() const { return reinterpret_cast<ModuleState*>(word_ & ~connecting); }
  ModuleState* operator->() const { return module(); }
  ModuleState& operator*() const { return *module(); }
  bool is_connecting() const { return (word_ & connecting) != 0; }

  void connected() {
    if (!is_connecting()) return;
    module()->pending.fetch_sub(1, std::memory_order_relaxed);
    word_ &= ~connecting;
  }
  void release() {
    if (word_ == 0) return;
    connected();
    module()->active.fetch_sub(1, std::memory_order_release);   // what the session wrote happens before the state is freed
    word_ = 0;
  }

 private:
  static constexpr std::uintptr_t connecting = 1;   // states are aligned to a cache line, so the bit is free
  explicit Slot(ModuleState* module) : word_(reinterpret_cast<std::uintptr_t>(module) | connecting) {}
  std::uintptr_t word_ = 0;
};
static_assert(sizeof(Slot) == 8);

}  // namespace nlb::route
