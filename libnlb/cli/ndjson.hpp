// One JSON object a line, keys in the order they were given. Flushed per line when the stream isn't a terminal's, so that the next filter
// of a pipe sees each line at once; text that is no UTF-8 gets U+FFFD in place of what is wrong, never an exception.
#pragma once

#include <iosfwd>

#include <nlohmann/json.hpp>

namespace nlb::cli {

using Json = nlohmann::ordered_json;

class NdjsonWriter {   // borrows the stream; one owner
 public:
  explicit NdjsonWriter(std::ostream& out, bool flush_each = true) : out_(out), flush_each_(flush_each) {}
  void write(const Json& object);
  bool good() const;             // false once the stream refused something

 private:
  std::ostream& out_;
  bool flush_each_;
};

std::string json_line(const Json& object);   // without the newline

}  // namespace nlb::cli
