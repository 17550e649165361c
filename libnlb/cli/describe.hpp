// A CLI11 App as plain values: what man page and completions are made from, so that neither can differ from the parser.
#pragma once

#include <string>
#include <vector>

#include <CLI/CLI.hpp>

namespace nlb::cli {

struct OptionText {
  std::vector<std::string> names;     // "-o", "--output"; for a positional its one placeholder
  std::string value;                  // the placeholder of the value; empty for a flag
  std::string text;
  std::vector<std::string> choices;
  bool positional = false, required = false, many = false;
  bool takes_file() const;            // the placeholder says FILE, DIR or PATH
};
struct CommandText {
  std::vector<std::string> words;     // "nlb-deploy", "canary", "start"
  std::string text;
  std::vector<OptionText> options;    // of this command alone, hidden ones left out
  std::vector<CommandText> commands;
  std::vector<const CommandText*> self_and_below() const;   // depth first
};

CommandText describe(CLI::App& app);   // not const: CLI11 has no const way to an option's validators
std::string joined(const std::vector<std::string>& words, const std::string& between);

}  // namespace nlb::cli
