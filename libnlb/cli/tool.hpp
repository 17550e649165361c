// What the command lines of all five programs share: the App's set-up, output formats, error reports and exit codes.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include <CLI/CLI.hpp>

#include "libnlb/cli/exit_code.hpp"
#include "libnlb/core/result.hpp"

namespace nlb::cli {

enum class Output { automatic, table, ndjson, csv };
enum class Color { automatic, always, never };

struct Common {            // the options every (sub)command has
  Output output = Output::automatic;
  Color color = Color::automatic;
};

// Adds --version and --color, the exit-code section of the help, and makes every subcommand accept the global options.
void set_up(CLI::App& app, Common& common);
void add_output_option(CLI::App& app, Common& common, bool with_csv = false);   // -o/--output

// table on a terminal, ndjson when stdout is a pipe or file, unless -o says otherwise.
Output effective_output(const Common& common);
bool use_color(const Common& common, int descriptor = 1);   // a terminal, not NO_COLOR, not --color never

// Parses and runs: prints help or usage errors (exit 2), turns a Result's error into "tool: text" on stderr and its exit code, and
// lets no exception escape. A closed stdout ends the program quietly.
int run(CLI::App& app, int argc, char** argv, const std::function<Result<ExitCode>()>& body);

}  // namespace nlb::cli
