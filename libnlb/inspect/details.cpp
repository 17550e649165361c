#include "libnlb/inspect/details.hpp"

#include <algorithm>

namespace nlb::inspect {

Details read_details(Protocol protocol, Bytes all, Speaker from) {
  const Bytes bytes = all.first(std::min(all.size(), details_bytes_max));
  const bool client = from == Speaker::client;
  Details details;
  details.complete = true;
  switch (protocol) {
    case Protocol::http:
      if (client) details = http_details(bytes);
      break;
    case Protocol::tls: details = tls_details(bytes); break;
    case Protocol::mysql: details = mysql_details(bytes, from); break;
    case Protocol::postgresql:
      if (client) details = postgresql_details(bytes);
      break;
    case Protocol::mongodb: details = mongodb_details(bytes); break;
    case Protocol::redis:
      if (client) details = redis_details(bytes);
      break;
    case Protocol::rtmp: case Protocol::unknown: break;   // RTMP names its stream after the handshake only
  }
  details.complete = details.complete || bytes.size() == details_bytes_max;
  return details;
}

}  // namespace nlb::inspect
