#include "libnlb/daemon/log.hpp"

#include <array>
#include <chrono>
#include <memory>

#include <spdlog/logger.h>
#include <spdlog/sinks/ansicolor_sink.h>
#include <unistd.h>

#include "libnlb/core/time.hpp"
#include "libnlb/daemon/json_line.hpp"

namespace nlb::daemon::log {
namespace {

struct LevelRow { std::string_view name; Level level; spdlog::level::level_enum spdlog_level; };
constexpr std::array<LevelRow, 6> levels = {{
    {"trace", Level::trace, spdlog::level::trace},
    {"debug", Level::debug, spdlog::level::debug},
    {"info", Level::info, spdlog::level::info},
    {"warn", Level::warning, spdlog::level::warn},
    {"error", Level::error, spdlog::level::err},
    {"off", Level::off, spdlog::level::off},
}};

constexpr auto text_pattern = "%Y-%m-%dT%H:%M:%S.%e %^%-7l%$ %v";

struct State {
  std::string tool = "nlb";
  bool json = false;
  spdlog::logger logger{"nlb", std::make_shared<spdlog::sinks::ansicolor_stderr_sink_mt>()};
  State() { logger.set_pattern(text_pattern); }
};

State& state() {
  static State instance;
  return instance;
}

void use_format(bool json) {
  state().json = json;
  state().logger.set_pattern(json ? "%v" : text_pattern);
}

bool wants_json(config::LogFormat format) {
  return format == config::LogFormat::json || (format == config::LogFormat::automatic && !isatty(STDERR_FILENO));
}

std::string json_line(const LevelRow& row, std::string_view message, Fields fields) {
  std::string out;
  JsonLine line(out);
  line.add("time", format_rfc3339(std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now())))
      .add("level", row.name).add("tool", state().tool).add("message", message);
  for (const auto& field : fields)
    field.quoted ? line.add(field.key, field.value) : line.add_raw(field.key, field.value);
  out += '}';   // the sink ends the line
  return out;
}

// A value with a space, quote or control byte is quoted, so that the line can be split again.
std::string text_line(std::string_view message, Fields fields) {
  std::string out(message);
  for (const auto& field : fields) {
    out.append(" ").append(field.key).append("=");
    const bool bare = !field.value.empty() && field.value.find_first_not_of(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.,:;/_-+*@%[](){}<>|~#!?") == std::string::npos;
    if (bare) out += field.value;
    else append_json_string(out, field.value);
  }
  return out;
}

}  // namespace

Result<> set_up(std::string_view tool, const config::Log& config) {
  state().tool = tool;
  state().logger.flush_on(spdlog::level::trace);
  use_format(wants_json(config.format));
  return set_level(config.level);
}

Result<> set_level(std::string_view level) {
  for (const auto& row : levels)
    if (row.name == level) {
      state().logger.set_level(row.spdlog_level);
      return {};
    }
  return fail(ErrorKind::config, "log.level \"" + std::string(level) + "\" is unknown: the levels are trace, debug, info, "
              "warn, error and off: choose one");
}

void write(Level level, std::string_view message, Fields fields) {
  const auto& row = levels[static_cast<std::size_t>(level)];
  if (!state().logger.should_log(row.spdlog_level)) return;
  state().logger.log(row.spdlog_level, spdlog::string_view_t(state().json ? json_line(row, message, fields) : text_line(message, fields)));
}

}  // namespace nlb::daemon::log
