// read_details() and judge_first_answer() over any bytes cut anywhere: views stay inside the bytes, and an answer once given stays.
// The first byte picks the protocol.
#include <cstdlib>

#include "libnlb/inspect/detector.hpp"
#include "libnlb/inspect/first_answer.hpp"

using namespace nlb;
using namespace nlb::inspect;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

void check_inside(std::string_view view, Bytes bytes) {
  if (view.empty()) return;
  const auto all = as_text(bytes);
  require(view.data() >= all.data() && view.data() + view.size() <= all.data() + all.size());
}

// The names of PostgreSQL's and MySQL's requests are the library's own words.
bool is_own_word(std::string_view command) { return command == "ssl" || command == "gssenc" || command == "cancel"; }

void check_details(Protocol protocol, Bytes bytes) {
  for (const auto from : {Speaker::client, Speaker::server}) {
    const Details d = read_details(protocol, bytes, from);
    for (const auto view : {d.sni, d.alpn, d.http_method, d.http_target, d.http_host, d.user, d.database, d.application, d.server_version})
      check_inside(view, bytes);
    if (!is_own_word(d.command)) check_inside(d.command, bytes);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto protocol = static_cast<Protocol>(data[0] % protocol_count);
  const Bytes bytes(data + 1, size - 1);
  auto last = FirstAnswer::undecided;
  for (std::size_t n = 0; n <= bytes.size(); ++n) {
    check_details(protocol, bytes.first(n));
    const auto now = judge_first_answer(protocol, bytes.first(n));
    require(last == FirstAnswer::undecided || now == last);
    last = now;
  }
  return 0;
}
