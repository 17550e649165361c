// Who owns what a store keeps: a number that is drawn once and stays for as long as the store does. All copies of a daemon that share a
// store are one owner to the bus, told apart by epoch; two stores are two owners, whatever their daemons' addresses are.
#pragma once

#include <cstdint>

#include "libnlb/store/store.hpp"

namespace nlb::store {

// Blocks like any call of the store. Errors: those of the store.
Result<std::uint64_t> identity(Store& store);

}  // namespace nlb::store
