// parse_proxy_header() over any bytes at any split: monotone, in bounds, and what it reads can be written and read again.
#include <cstdlib>

#include "libnlb/inspect/proxy_header.hpp"

using namespace nlb;
using namespace nlb::inspect;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

void check_written_again(const ProxyHeader& header) {
  if (header.family != ProxyFamily::inet && header.family != ProxyFamily::inet6) return;
  const ProxyAddresses addresses{header.source, header.destination, header.source_port, header.destination_port};
  for (const auto& encoded : {encode_proxy_v1(addresses), encode_proxy_v2(addresses)}) {
    const auto again = parse_proxy_header(encoded.bytes());
    require(again.answer == ProxyAnswer::match && again.bytes == encoded.size);
    require(again.source == header.source && again.destination == header.destination);
    require(again.source_port == header.source_port && again.destination_port == header.destination_port);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes bytes(data, size);
  ProxyHeader last = parse_proxy_header({});
  for (std::size_t n = 1; n <= size; ++n) {
    const ProxyHeader now = parse_proxy_header(bytes.first(n));
    if (last.answer == ProxyAnswer::more) require(now.answer == ProxyAnswer::more || n >= last.need_bytes);
    else require(now.answer == last.answer && now.bytes == last.bytes);
    if (now.answer == ProxyAnswer::more) require(now.need_bytes > n);
    if (now.answer == ProxyAnswer::match) require(now.bytes <= n);
    last = now;
  }
  if (last.answer != ProxyAnswer::match) return 0;
  std::size_t values = 0;
  for (Bytes tlvs = last.tlvs; !tlvs.empty();) values += next_tlv(tlvs).value.size();
  require(values <= size);
  check_written_again(last);
  return 0;
}
