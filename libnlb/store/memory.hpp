// The twin of the real stores for tests and simulations: the same answers, no disk, the caller's clock. Its watches never wait.
#pragma once

#include <memory>

#include "libnlb/store/clock.hpp"
#include "libnlb/store/store.hpp"

namespace nlb::store {

std::unique_ptr<Store> make_memory_store(Clock clock);

}  // namespace nlb::store
