// Every rule by which bytes are recognised, with its words and its source. One table: the detector names rules by it, `--explain`
// prints it, and the documentation is made from it.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "libnlb/core/protocol.hpp"

namespace nlb::inspect {

// The value is the index into rules().
enum class Rule : std::uint16_t {
  none,
  http_request,
  http2_preface,
  http_simple_request,
  http_only_method,
  http_response,
  http2_settings,
  tls_client_hello,
  tls_server_hello,
  tls_alert,
  mysql_greeting,
  mysql_error,
  postgresql_startup,
  postgresql_ssl_request,
  postgresql_gssenc_request,
  postgresql_cancel_request,
  postgresql_authentication,
  postgresql_error,
  mongodb_message,
  mongodb_query,
  mongodb_compressed,
  mongodb_command,
  mongodb_write,
  mongodb_reply,
  redis_array,
  redis_inline,
  redis_reply,
  rtmp_zero_field,
  rtmp_version_field,
};

struct RuleText {
  Rule id;
  Protocol protocol;
  std::string_view name;
  std::string_view matches;   // in words
  std::string_view source;    // document and section
};

std::span<const RuleText> rules();

// Precondition: `index` < rules().size(), as in any Verdict.
const RuleText& rule(std::uint16_t index);

}  // namespace nlb::inspect
