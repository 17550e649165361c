// Any bytes as a capture file: reader, decoder and flow table must end, stay within their limits and never touch what isn't theirs.
// The same bytes without a file header are also decoded as one frame of every link type.
#include <cstdint>
#include <cstdlib>

#include "libnlb/capture/decoder.hpp"
#include "libnlb/capture/flow_table.hpp"
#include "libnlb/capture/format.hpp"

using namespace nlb;
using namespace nlb::capture;

namespace {

void expect(bool holds) {
  if (!holds) std::abort();
}

void as_file(Bytes file) {
  constexpr std::size_t flows_max = 8;
  FlowOptions options;
  options.flows_max = flows_max;
  options.judge.evidence = true;
  std::uint64_t ended = 0;
  FlowTable flows(options, [&](Flow&) { ++ended; });
  Decoder decoder;
  RecordParser parser;
  Packet packet;
  Segment segment;
  for (Bytes rest = file;;) {
    const auto step = parser.next(rest, packet);
    if (step == Step::more || step == Step::damaged) break;
    expect(parser.consumed() <= rest.size());
    rest = rest.subspan(parser.consumed());
    if (step != Step::packet || decoder.decode(packet, segment) != Found::segment) continue;
    expect(segment.length >= segment.payload.size());
    flows.add(segment, packet.time_ns);
    expect(flows.open() <= flows_max);
  }
  flows.finish();
  expect(ended == flows.seen());
}

void as_frame(Bytes bytes) {
  if (bytes.empty()) return;
  Decoder decoder;
  Segment segment;
  decoder.decode({bytes.subspan(1), static_cast<std::uint32_t>(bytes.size()), bytes[0], 0}, segment);
  decoder.decode({bytes.subspan(1), static_cast<std::uint32_t>(bytes.size()), 256u + bytes[0], 0}, segment);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  as_file({bytes, size});
  as_frame({bytes, size});
  return 0;
}
