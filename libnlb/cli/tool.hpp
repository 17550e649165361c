// What the command lines of all five programs share: the App's set-up, output formats, error reports and exit codes.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

#include <CLI/CLI.hpp>

#include "libnlb/cli/exit_code.hpp"
#include "libnlb/cli/manual.hpp"
#include "libnlb/core/result.hpp"

namespace nlb::cli {

enum class Output { automatic, table, ndjson, csv };
enum class Color { automatic, always, never };

struct Common {            // the options every (sub)command has
  Output output = Output::automatic;
  Color color = Color::automatic;
};

// Adds --version, --color and the hidden --generate KIND (documents.hpp), the exit-code section of the help, and makes every subcommand
// accept the global options. `manual` is what the man page says beyond the options. `app` must outlive parsing.
void set_up(CLI::App& app, Common& common, Manual manual = {});
void add_output_option(CLI::App& app, Common& common, bool with_csv = false);   // -o/--output

// Turns a word into its value, or says which words there are.
CLI::Validator choice_validator(std::map<std::string, std::string> words);

// An option whose value is one of a few words; the words reach help, man page and completions. Case counts for nothing.
template <class Enum>
CLI::Option* add_choice(CLI::App& app, const std::string& names, Enum& value, const std::map<std::string, Enum>& words, const std::string& text) {
  std::map<std::string, std::string> numbers;   // CLI11 reads an enum as its number
  for (const auto& [word, meaning] : words) numbers.emplace(word, std::to_string(static_cast<int>(meaning)));
  return app.add_option(names, value, text)->transform(choice_validator(std::move(numbers)));
}

// table on a terminal, ndjson when stdout is a pipe or file, unless -o says otherwise.
Output effective_output(const Common& common);
bool use_color(const Common& common, int descriptor = 1);   // a terminal, not NO_COLOR, not --color never

// Parses and runs: prints help or usage errors (exit 2), among them NaN and infinity for any option that takes a number, turns a Result's error into "tool: text" on stderr and its exit code, and
// lets no exception escape. An error of several lines (the problems of a configuration) is printed as it is, so that editors find the
// places. A closed stdout ends the program quietly; a stdout that can't take the output (disk full) is an error.
int run(CLI::App& app, int argc, char** argv, const std::function<Result<ExitCode>()>& body);

}  // namespace nlb::cli
