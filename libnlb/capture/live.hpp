// Packets from a network interface, through libpcap.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "libnlb/capture/packet.hpp"
#include "libnlb/core/result.hpp"

namespace nlb::capture {

class Live {   // one owner, not thread safe
 public:
  struct Counts { std::uint64_t received = 0, dropped = 0; };

  // Errors: unavailable (no such interface, no permission), usage (the filter).
  static Result<Live> open(const std::string& interface, const std::string& filter);
  Live(Live&&) noexcept;
  ~Live();

  // Gives the packets that are there to `each`, waiting at most about 100 ms for the first. Errors: unavailable (the interface is gone).
  Result<> poll(const std::function<void(const Packet&)>& each);
  Counts counts() const;

 private:
  struct Handle;
  explicit Live(std::unique_ptr<Handle> handle);
  std::unique_ptr<Handle> handle_;
};

}  // namespace nlb::capture
