// What a tool's man page says beyond its options: texts that stand beside the tool (tools/nlb-*/manual.cpp) and reach the page through
// set_up(). A blank line starts a paragraph; a line that starts with two spaces is shown as it is (commands, output).
#pragma once

#include <string>
#include <vector>

namespace nlb::cli {

inline constexpr const char* choices_mark = "choices:";   // the name of a validator that carries an option's words

struct Example { std::string command, meaning; };        // one command line, and what it does
struct Term { std::string name, meaning; };              // a file, variable, signal or exit code

struct Manual {
  std::string description;            // what the tool does, for whom, and how it works
  std::vector<Example> examples;
  std::vector<Term> files;
  std::vector<Term> environment;      // NLB_CONFIG, NO_COLOR and NLB_A__B are added for tools with --config
  std::vector<Term> signals;
  std::string exit_no;                // what exit code 1 means for this tool; empty: it is not used
  std::string security, bugs;
  std::vector<std::string> see_also;  // "nlb-scale(1)"; nlb(7) and nlb.yaml(5) are added
};

}  // namespace nlb::cli
