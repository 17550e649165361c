// The daemons' own log on stderr: a message and key=value fields; text on a terminal, one JSON object a line otherwise.
//   log::info("listening", {{"address", "127.0.0.1:8080"}, {"workers", 2}});
// Writes are synchronous, so no line is lost at exit; therefore nothing on the data path logs per session (that is access_log.hpp).
// Safe from every thread after set_up(); set_up() is called once, before other threads start (and after daemonize()).
#pragma once

#include <concepts>
#include <initializer_list>
#include <string>
#include <string_view>

#include "libnlb/config/config.hpp"
#include "libnlb/core/result.hpp"

namespace nlb::daemon::log {

enum class Level { trace, debug, info, warning, error, off };

struct Field {
  std::string_view key;
  std::string value;
  bool quoted = true;   // a JSON string; numbers and truth values are not
  Field(std::string_view k, std::string_view v) : key(k), value(v) {}
  Field(std::string_view k, const char* v) : key(k), value(v) {}
  Field(std::string_view k, const std::string& v) : key(k), value(v) {}
  Field(std::string_view k, bool v) : key(k), value(v ? "true" : "false"), quoted(false) {}
  template <class Number> requires(std::integral<Number> || std::floating_point<Number>)
  Field(std::string_view k, Number v) : key(k), value(std::to_string(v)), quoted(false) {}
};
using Fields = std::initializer_list<Field>;

Result<> set_up(std::string_view tool, const config::Log& config);   // config: an unknown level
Result<> set_level(std::string_view level);                          // trace debug info warn error off; at run time
void write(Level level, std::string_view message, Fields fields);

inline void debug(std::string_view message, Fields fields = {}) { write(Level::debug, message, fields); }
inline void info(std::string_view message, Fields fields = {}) { write(Level::info, message, fields); }
inline void warning(std::string_view message, Fields fields = {}) { write(Level::warning, message, fields); }
inline void error(std::string_view message, Fields fields = {}) { write(Level::error, message, fields); }

}  // namespace nlb::daemon::log
