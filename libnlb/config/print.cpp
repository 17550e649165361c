// The printed forms of a load: problems as compiler-like lines, and the effective configuration as YAML with origins.
#include <algorithm>

#include "libnlb/config/load.hpp"
#include "libnlb/config/values.hpp"

namespace nlb::config {
namespace {

using Words = std::vector<std::string>;

// "listen[0].address" to listen, [0], address; a word in quotes stays whole and loses them.
Words split_path(std::string_view path) {
  Words words;
  while (!path.empty()) {
    const bool quoted = path.front() == '"' && path.find('"', 1) != std::string_view::npos;
    const auto end = quoted ? path.find('"', 1) + 1 : std::min(path.find_first_of(".[", 1), path.size());
    words.emplace_back(quoted ? path.substr(1, end - 2) : path.substr(0, end));
    path.remove_prefix(end);
    if (path.starts_with('.')) path.remove_prefix(1);
  }
  return words;
}

std::string origin_text(const Origin& origin) {
  switch (origin.source) {
    case Source::default_value: return "default";
    case Source::file: return "line " + std::to_string(origin.line);
    case Source::environment: return "environment";
    case Source::flag: return "flag";
  }
  return "default";
}

bool is_element(const std::string& word) { return word.starts_with('['); }

// Writes the keys above a value that the line before didn't share. Returns the lead of the value's own line.
std::string open_levels(std::string& out, const Words& words, std::size_t shared) {
  std::string lead;
  std::size_t indent = 0;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const bool element = is_element(words[i]);
    if (i < shared) {
      indent += 2;
      continue;
    }
    if (element) {
      lead = std::string(indent, ' ') + "- ";
    } else {
      if (lead.empty()) lead = std::string(indent, ' ');
      lead += quote_yaml(words[i]) + ":";
      if (i + 1 < words.size()) {
        out += lead + "\n";
        lead.clear();
      }
    }
    indent += 2;
  }
  return lead;
}

std::size_t shared_levels(const Words& a, const Words& b) {
  std::size_t n = 0;
  while (n < a.size() && n < b.size() && a[n] == b[n]) ++n;
  return n;
}

}  // namespace

std::string format_problems(std::string_view file_name, const std::vector<Problem>& problems) {
  std::string out;
  for (const auto& problem : problems) {
    if (problem.source == Source::environment) out += "environment";
    else if (problem.source == Source::flag) out += "command line";
    else out += file_name;
    if (problem.line > 0) out += ":" + std::to_string(problem.line) + ":" + std::to_string(problem.column);
    out += ": " + problem.text + "\n";
  }
  return out;
}

std::string print_config(const Loaded& loaded) {
  static constexpr std::size_t comment_column = 60;
  std::string out;
  Words before;
  for (const auto& origin : loaded.origins) {
    const auto words = split_path(origin.path);
    auto line = open_levels(out, words, shared_levels(before, words)) + " " + origin.value;
    line.resize(std::max(line.size() + 1, comment_column), ' ');
    out += line + "# " + origin_text(origin) + "\n";
    before = words;
  }
  return out;
}

}  // namespace nlb::config
