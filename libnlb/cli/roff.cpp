#include "libnlb/cli/roff.hpp"

#include <sstream>

namespace nlb::cli::roff {

std::string escape(std::string_view text) {
  std::string out;
  if (text.starts_with('.') || text.starts_with('\'')) out = "\\&";
  for (const char c : text) {
    if (c == '\\') out += "\\e";
    else if (c == '-') out += "\\-";
    else if (c == '\'') out += "\\(aq";
    else if (c == '`') out += "\\(ga";
    else if (c == '^') out += "\\(ha";
    else if (c == '~') out += "\\(ti";
    else if (c == '\n') out += ' ';
    else out += c;
  }
  return out;
}

std::string bold(std::string_view text) { return "\\fB" + escape(text) + "\\fR"; }
std::string italic(std::string_view text) { return "\\fI" + escape(text) + "\\fR"; }

std::string title(std::string_view name, int section) {
  // No date: the page is generated, and must be the same from the same source.
  return ".\\\" Generated from the program's own definitions: edit those, then run tests/support/regenerate.sh\n.TH " + escape(name) + " " +
         std::to_string(section) + " \"\" \"nlb " NLB_VERSION "\" \"nlb manual\"\n";
}
std::string heading(std::string_view name) { return ".SH " + escape(name) + "\n"; }
std::string subheading(std::string_view name) { return ".SS " + escape(name) + "\n"; }
std::string term(std::string_view escaped_tag, std::string_view text) { return ".TP\n" + std::string(escaped_tag) + "\n" + escape(text) + "\n"; }
std::string example(std::string_view command) { return ".PP\n.nf\n.RS 4\n" + escape(command) + "\n.RE\n.fi\n"; }

std::string prose(std::string_view text) {
  std::istringstream in{std::string(text)};
  std::string out, line;
  bool shown = false, gap = false, first = true;
  while (std::getline(in, line)) {
    const bool as_is = line.starts_with("  ");
    if (line.empty()) {
      gap = true;
      continue;
    }
    if (as_is != shown) out += as_is ? ".PP\n.nf\n.RS 4\n" : ".RE\n.fi\n.PP\n";
    else if (gap && !first) out += as_is ? ".sp\n" : ".PP\n";
    out += escape(as_is ? line.substr(2) : line) + "\n";
    shown = as_is;
    gap = first = false;
  }
  return shown ? out + ".RE\n.fi\n" : out;
}

}  // namespace nlb::cli::roff
