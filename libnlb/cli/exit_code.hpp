// The exit codes of all five programs: one enum, one section in each man page, one test.
#pragma once

#include <array>
#include <string_view>

#include "libnlb/core/result.hpp"

namespace nlb::cli {

enum class ExitCode : int { done = 0, no = 1, usage = 2, config = 3, unavailable = 4, timeout = 5, bad_input = 6, internal = 70 };

struct ExitCodeRow { ExitCode code; std::string_view meaning; };
inline constexpr std::array<ExitCodeRow, 8> exit_codes = {{
    {ExitCode::done, "done"},
    {ExitCode::no, "it ran and the answer is no"},
    {ExitCode::usage, "the command line is wrong"},
    {ExitCode::config, "the configuration is invalid"},
    {ExitCode::unavailable, "a peer, port or file is unavailable"},
    {ExitCode::timeout, "timed out"},
    {ExitCode::bad_input, "bad input data, or a command that was refused"},
    {ExitCode::internal, "internal error"},
}};

constexpr ExitCode exit_code_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::usage: return ExitCode::usage;
    case ErrorKind::config: return ExitCode::config;
    case ErrorKind::unavailable: return ExitCode::unavailable;
    case ErrorKind::timeout: return ExitCode::timeout;
    case ErrorKind::bad_input:
    case ErrorKind::refused:
    case ErrorKind::conflict:
    case ErrorKind::not_found: return ExitCode::bad_input;
    case ErrorKind::internal: return ExitCode::internal;
  }
  return ExitCode::internal;
}

}  // namespace nlb::cli
