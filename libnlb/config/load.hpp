// YAML text and environment to a Config, with every problem found reported at once as file:line:col: message.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "libnlb/config/config.hpp"

namespace nlb::config {

enum class Source : std::uint8_t { default_value, file, environment, flag };

struct Problem {
  int line = 0, column = 0;   // from 1; 0 for a problem of the environment, a flag or the whole file
  std::string text;           // what is wrong: why: what to do
  Source source = Source::file;
};

struct Origin { std::string path; std::string value; Source source = Source::default_value; int line = 0; };

struct Loaded {
  Config config;                  // only to be used when problems is empty
  std::vector<Problem> problems;  // sorted by line and column
  std::vector<Origin> origins;    // every key, its value as text, and where it came from (--print-config)
};

// `environment`: name and value of the NLB_ variables (NLB_LIMITS__HTTP__RATE=500 sets limits.http.rate; in a list, a number
// is an index and a name picks the element of that name). `overrides`: path and value from flags ("limits.http.rate" or
// "limits[0].rate"). A flag wins over the environment, that over the file, that over the default. Pure: reads no file. Cost: linear;
// text over 4 MiB, 32 levels or 200,000 nodes (aliases expanded) is a problem, not a load.
Loaded load(std::string_view yaml, const std::vector<std::pair<std::string, std::string>>& environment = {},
            const std::vector<std::pair<std::string, std::string>>& overrides = {});

std::string format_problems(std::string_view file_name, const std::vector<Problem>& problems);   // "file:line:col: text\n" each
std::string print_config(const Loaded& loaded);   // YAML of the effective configuration, each key with a comment on its origin

}  // namespace nlb::config
