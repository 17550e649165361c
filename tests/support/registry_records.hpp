// Module records for tests.
#pragma once

#include "libnlb/registry/module.hpp"

namespace nlb::testing {

inline registry::Module record(std::string name, std::uint16_t port = 8080, std::string service = "web") {
  registry::Module module;
  module.name = std::move(name);
  module.service = std::move(service);
  module.protocol = Protocol::http;
  module.data = {Endpoint::Kind::ip, port, IpAddress::v4(0x7f000001), {}};
  return module;
}

}  // namespace nlb::testing
