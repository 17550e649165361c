#include "libnlb/cli/ndjson.hpp"

#include <ostream>

namespace nlb::cli {

std::string json_line(const Json& object) { return object.dump(-1, ' ', false, Json::error_handler_t::replace); }

void NdjsonWriter::write(const Json& object) {
  out_ << json_line(object) << '\n';
  if (flush_each_) out_.flush();
}

bool NdjsonWriter::good() const { return out_.good(); }

}  // namespace nlb::cli
