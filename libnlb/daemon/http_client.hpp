// One HTTP GET against a daemon's admin address, for commands like `nlb-forward status`. Blocking, with a deadline for all of it.
#pragma once

#include <string>
#include <string_view>

#include "libnlb/core/address.hpp"
#include "libnlb/core/result.hpp"
#include "libnlb/core/time.hpp"

namespace nlb::daemon {

struct HttpAnswer { unsigned status = 0; std::string content_type, body; };

// unavailable: nobody listens (text says how to start or point elsewhere); timeout; bad_input: not HTTP, or over 64 MiB. Any status is
// an answer, 404 too.
Result<HttpAnswer> http_get(const Endpoint& address, std::string_view target, Duration deadline = std::chrono::seconds(5));

}  // namespace nlb::daemon
