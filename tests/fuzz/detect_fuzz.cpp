// detect() over any bytes at any split: never crashes, and a longer prefix never changes an answer. Both directions.
#include <cstdlib>

#include "libnlb/inspect/flow.hpp"
#include "libnlb/inspect/signatures.hpp"

using namespace nlb;
using namespace nlb::inspect;

namespace {

// The one exception, named in detector.cpp: a whole SOCKS5 greeting.
bool is_exception(Bytes b, Speaker from) { return from == Speaker::client && b.size() == 3 && b[0] == 5 && b[1] == 1 && b[2] == 0; }

void require(bool holds) {
  if (!holds) std::abort();
}

void check(Bytes bytes, Speaker from) {
  Verdict last = detect({}, from);
  for (std::size_t n = 1; n <= bytes.size(); ++n) {
    if (is_exception(bytes.first(n), from)) continue;
    const Verdict now = detect(bytes.first(n), from);
    require(now.rule < rules().size());
    require((now.answer == Answer::match) == (now.protocol != Protocol::unknown));
    if (now.answer == Answer::more) {
      require(last.answer == Answer::more && now.need_bytes > n && now.need_bytes <= detect_bytes_max);
    } else if (last.answer == Answer::more) {
      require(n >= last.need_bytes && now.decided_at_byte == n);
    } else {
      require(now.answer == last.answer && now.protocol == last.protocol && now.rule == last.rule &&
              now.decided_at_byte == last.decided_at_byte);
    }
    last = now;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes bytes(data, size);
  check(bytes, Speaker::client);
  check(bytes, Speaker::server);
  if (size > 0) judge_flow(bytes.subspan(1).first((size - 1) * data[0] / 256), bytes.subspan(1).subspan((size - 1) * data[0] / 256));
  return 0;
}
