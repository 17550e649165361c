// The few man(7) requests that the pages need, with everything that is text escaped (groff_man(7), "Portability").
#pragma once

#include <string>
#include <string_view>

namespace nlb::cli::roff {

std::string escape(std::string_view text);   // one line: backslashes and hyphens, and a dot or quote at its start
std::string bold(std::string_view text);
std::string italic(std::string_view text);
std::string title(std::string_view name, int section);
std::string heading(std::string_view name);
std::string subheading(std::string_view name);
std::string term(std::string_view escaped_tag, std::string_view text);   // .TP
// Prose: a blank line starts a paragraph, lines that start with two spaces are shown as they are.
std::string prose(std::string_view text);
std::string example(std::string_view command);

}  // namespace nlb::cli::roff
