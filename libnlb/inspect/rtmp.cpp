// RTMP's C0 and C1: version 3 (6 when encrypted), a time, and a field that the specification wants zero and players fill with their
// version. The same first byte opens TPKT (RDP, S7, H.323), TDS and DNS over TCP with a length of 3 x 256: none of them has four zeros at
// bytes 5 to 8 (COTP's code, Q.931's reference, TDS's packet id and DNS's counts stand there), nor a version of the forms below.
#include "libnlb/inspect/recognisers.hpp"

namespace nlb::inspect {

namespace {

struct Version {
  std::uint8_t major, minor, patch, build;
};

// Flash Player and FFmpeg: 9.0.124.2 up to 32.x.x.2, and 128.0.x.2 since Flash Player 10.
bool is_player(Version v) {
  return v.build == 2 && ((v.major >= 5 && v.major <= 32 && v.minor <= 9) || (v.major == 128 && v.minor == 0));
}
// What nginx-rtmp and its descendants write: 12.0.13.14 as client, 13.14.10.13 as server.
bool is_nginx(Version v) {
  return (v.major == 12 && v.minor == 0 && v.patch == 13 && v.build == 14) ||
         (v.major == 13 && v.minor == 14 && v.patch == 10 && v.build == 13);
}
// Flash Media Server 2 to 5, Wowza and their kin; node-media-server writes 1.2.3.4.
bool is_server(Version v) {
  return (v.major >= 1 && v.major <= 15 && v.minor <= 9 && v.build >= 1 && v.build <= 2) ||
         (v.major == 1 && v.minor == 2 && v.patch == 3 && v.build == 4);
}

constexpr std::size_t version_at = 5, decided_at = 9;

Verdict recognise(Bytes b, bool from_server) {
  if (b[0] != 3 && b[0] != 6) return no_match(Rule::rtmp_zero_field, 1);
  if (b.size() < decided_at) return more(Rule::rtmp_zero_field, decided_at);
  if (load_be32(b, version_at) == 0) return match(Protocol::rtmp, Rule::rtmp_zero_field, decided_at);
  const Version version{b[5], b[6], b[7], b[8]};
  // Encrypted, only players speak; KNXnet/IP ("06 10 04 ...") is what else opens so.
  if (b[0] == 6 && (version.minor != 0 || version.major < 9)) return no_match(Rule::rtmp_version_field, decided_at);
  if (is_player(version) || is_nginx(version) || (from_server && is_server(version)))
    return match(Protocol::rtmp, Rule::rtmp_version_field, decided_at);
  return no_match(Rule::rtmp_version_field, decided_at);
}

}  // namespace

Verdict rtmp_client(Bytes bytes) { return recognise(bytes, false); }
Verdict rtmp_server(Bytes bytes) { return recognise(bytes, true); }

}  // namespace nlb::inspect
