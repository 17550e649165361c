// manager.url in its parts.
#pragma once

#include <string>
#include <string_view>

#include "libnlb/core/address.hpp"
#include "libnlb/core/result.hpp"

namespace nlb::manager {

struct Url {
  bool tls = false;
  Endpoint address;
  std::string path;      // without a slash at its end; empty: the root
};

// http:// or https://, host, optional port (80, 443) and path; no user, query or fragment (RFC 3986). config otherwise.
Result<Url> parse_url(std::string_view text);

}  // namespace nlb::manager
