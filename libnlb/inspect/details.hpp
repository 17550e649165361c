// One reader of details per protocol; read_details() in detector.hpp picks among them. All read bytes that may be cut anywhere, answer with
// views into them, and say in `complete` whether more bytes could add anything.
#pragma once

#include "libnlb/inspect/detector.hpp"

namespace nlb::inspect {

Details http_details(Bytes bytes);
Details tls_details(Bytes bytes);                          // a ClientHello's SNI and ALPN, a ServerHello's ALPN
Details mysql_details(Bytes bytes, Speaker from);
Details postgresql_details(Bytes bytes);
Details mongodb_details(Bytes bytes);
Details redis_details(Bytes bytes);

// The characters up to a zero, which is stepped over. `found` is false, and the rest is taken, where none comes.
struct ZeroEnded {
  std::string_view text;
  bool found;
};
inline ZeroEnded take_zero_ended(Bytes& bytes) {
  const auto text = as_text(bytes);
  const auto end = text.find('\0');
  const bool found = end != std::string_view::npos;
  bytes = found ? bytes.subspan(end + 1) : Bytes{};
  return {text.substr(0, end), found};
}

}  // namespace nlb::inspect
