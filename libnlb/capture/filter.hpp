// BPF expressions (pcap-filter(7)) on packets of any link type: compiled by libpcap once per link type that appears.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "libnlb/capture/packet.hpp"
#include "libnlb/core/result.hpp"

namespace nlb::capture {

class Filter {   // one owner, not thread safe
 public:
  // An empty expression lets everything pass. Errors: usage (libpcap's own words).
  static Result<Filter> compile(const std::string& expression);
  Filter(Filter&&) noexcept;
  ~Filter();

  bool passes(const Packet& packet);   // false for link types on which the expression has no meaning

 private:
  struct Program;
  Filter();
  Result<const Program*> for_link(std::uint32_t link_type);
  std::string expression_;
  std::vector<std::unique_ptr<Program>> programs_;
};

}  // namespace nlb::capture
