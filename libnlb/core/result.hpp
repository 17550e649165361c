// Errors are values. A function that can fail returns Result<T>; exceptions stop in the file that met them.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include <tl/expected.hpp>

namespace nlb {

// A small closed set that code branches on; cli/exit_code.hpp maps each kind to an exit code.
enum class ErrorKind {
  usage,        // the command line is wrong
  config,       // the configuration is invalid
  unavailable,  // a peer, port or file can't be reached
  timeout,      // no answer in time
  bad_input,    // the data that was given is damaged or not what it claims to be
  refused,      // understood and denied; the text says what is legal now
  conflict,     // compare-and-set lost: somebody else was first
  not_found,    // the thing that was named doesn't exist
  internal,     // our own mistake
};

// `text` is for people: "what failed: why: what to do", with the value and the limit in it.
struct Error {
  ErrorKind kind = ErrorKind::internal;
  std::string text;
};

template <class T = void>
using Result = tl::expected<T, Error>;

inline tl::unexpected<Error> fail(ErrorKind kind, std::string text) {
  return tl::unexpected<Error>(Error{kind, std::move(text)});
}

constexpr std::string_view to_string(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::usage: return "usage";
    case ErrorKind::config: return "config";
    case ErrorKind::unavailable: return "unavailable";
    case ErrorKind::timeout: return "timeout";
    case ErrorKind::bad_input: return "bad_input";
    case ErrorKind::refused: return "refused";
    case ErrorKind::conflict: return "conflict";
    case ErrorKind::not_found: return "not_found";
    case ErrorKind::internal: return "internal";
  }
  return "internal";
}

}  // namespace nlb
