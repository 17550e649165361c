#include "libnlb/store/identity.hpp"

#include <sys/random.h>

#include <charconv>

namespace nlb::store {

namespace {

constexpr auto key = "owner";

std::uint64_t drawn() {        // 53 bits, so that it survives as a number of JSON
  std::uint64_t number = 0;
  while (number == 0)
    number = ::getrandom(&number, sizeof number, 0) == sizeof number ? number >> 11 : 0;
  return number;
}

Result<std::uint64_t> read(Store& store) {
  const auto entry = store.get(key);
  if (!entry) return tl::unexpected(entry.error());
  std::uint64_t number = 0;
  if (*entry) std::from_chars((*entry)->value.data(), (*entry)->value.data() + (*entry)->value.size(), number);
  return number;
}

}  // namespace

Result<std::uint64_t> identity(Store& store) {
  const auto known = read(store);
  if (!known || *known != 0) return known;
  const auto number = drawn();
  const auto made = store.commit({{absent(key)}, {put_of(key, std::to_string(number))}, {}});
  if (made) return number;
  return made.error().kind == ErrorKind::conflict ? read(store) : tl::unexpected(made.error());      // another copy was quicker
}

}  // namespace nlb::store
