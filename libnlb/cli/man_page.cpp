#include <algorithm>
#include <cctype>

#include "libnlb/cli/documents.hpp"
#include "libnlb/cli/exit_code.hpp"
#include "libnlb/cli/roff.hpp"

namespace nlb::cli {
namespace {

std::string upper(std::string text) {
  for (auto& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text;
}

std::string positional_text(const OptionText& option) {
  const auto name = roff::italic(option.names.front()) + (option.many ? "..." : "");
  return option.required ? " " + name : " [" + name + "]";
}

std::string synopsis_line(const CommandText& command) {
  std::string line = roff::bold(joined(command.words, " "));
  if (std::any_of(command.options.begin(), command.options.end(), [](const auto& option) { return !option.positional; })) line += " [" + roff::italic("OPTION") + "...]";
  for (const auto& option : command.options)
    if (option.positional) line += positional_text(option);
  return line;
}

std::string option_tag(const OptionText& option) {
  if (option.positional) return roff::italic(option.names.front());
  std::string tag;
  for (const auto& name : option.names) tag += (tag.empty() ? "" : ", ") + roff::bold(name);
  return option.value.empty() ? tag : tag + " " + roff::italic(option.value);
}

std::string option_list(const CommandText& command) {
  std::string out;
  for (const auto& option : command.options) out += roff::term(option_tag(option), option.text.empty() ? "-" : option.text);
  return out;
}

std::string synopsis(const CommandText& tool) {
  std::string out = roff::heading("SYNOPSIS");
  bool first = true;
  for (const auto* command : tool.self_and_below()) {
    const bool only_a_group = !command->commands.empty() && command->words.size() > 1 && command->options.size() <= 1;
    if (only_a_group) continue;
    out += (first ? "" : ".br\n") + synopsis_line(*command) + "\n";
    first = false;
  }
  return out;
}

std::string commands(const CommandText& tool) {
  if (tool.commands.empty()) return {};
  std::string out = roff::heading("COMMANDS");
  for (const auto* command : tool.self_and_below()) {
    if (command == &tool) continue;
    out += roff::subheading(joined({command->words.begin() + 1, command->words.end()}, " "));
    if (!command->text.empty()) out += roff::escape(command->text) + ".\n";
    for (const auto& option : command->options)
      if (std::find(option.names.begin(), option.names.end(), "--help") == option.names.end())
        out += roff::term(option_tag(option), option.text.empty() ? "-" : option.text);
  }
  return out;
}

std::string terms(std::string_view heading, const std::vector<Term>& rows) {
  if (rows.empty()) return {};
  std::string out = roff::heading(heading);
  for (const auto& row : rows) out += roff::term(roff::bold(row.name), row.meaning);
  return out;
}

bool has_config(const CommandText& tool) {
  for (const auto* command : tool.self_and_below())
    for (const auto& option : command->options)
      if (std::find(option.names.begin(), option.names.end(), "--config") != option.names.end()) return true;
  return false;
}

std::vector<Term> files_of(const CommandText& tool, const Manual& manual) {
  auto rows = manual.files;
  if (has_config(tool)) rows.push_back({"$XDG_CONFIG_HOME/nlb/nlb.yaml, /etc/nlb/nlb.yaml", "The configuration, when neither --config nor NLB_CONFIG names one; see nlb.yaml(5)."});
  return rows;
}

std::vector<Term> environment_of(const CommandText& tool, const Manual& manual) {
  auto rows = manual.environment;
  if (has_config(tool)) {
    rows.push_back({"NLB_CONFIG", "The configuration file, when --config doesn't name one."});
    rows.push_back({"NLB_A__B", "Sets the key a.b of the configuration; see nlb.yaml(5)."});
    rows.push_back({"NLB_RUNTIME_DIR, NLB_STATE_DIR", "What ${runtime} and ${state} stand for; see nlb.yaml(5)."});
  }
  rows.push_back({"NO_COLOR", "When set, nothing is coloured unless --color always is given."});
  return rows;
}

std::string exit_status(const Manual& manual) {
  std::string out = roff::heading("EXIT STATUS");
  for (const auto& row : exit_codes) {
    const bool no = row.code == ExitCode::no;
    if (no && manual.exit_no.empty()) continue;
    out += roff::term(roff::bold(std::to_string(static_cast<int>(row.code))), no ? manual.exit_no : std::string(row.meaning) + ".");
  }
  return out;
}

std::string examples(const Manual& manual) {
  if (manual.examples.empty()) return {};
  std::string out = roff::heading("EXAMPLES");
  for (const auto& row : manual.examples) out += ".PP\n" + roff::escape(row.meaning) + "\n" + roff::example(row.command);
  return out;
}

std::string section(std::string_view heading, const std::string& text) { return text.empty() ? "" : roff::heading(heading) + roff::prose(text); }

std::string see_also(const Manual& manual) {
  auto pages = manual.see_also;
  for (const auto* page : {"nlb.yaml(5)", "nlb(7)"}) pages.push_back(page);
  std::string out = roff::heading("SEE ALSO");
  for (std::size_t i = 0; i < pages.size(); ++i) {
    const auto bracket = pages[i].find('(');
    out += ".BR " + roff::escape(pages[i].substr(0, bracket)) + " " + pages[i].substr(bracket) + (i + 1 < pages.size() ? " ,\n" : "\n");
  }
  return out;
}

}  // namespace

std::string man_page(const CommandText& tool, const Manual& manual) {
  const auto& name = tool.words.front();
  std::string out = roff::title(upper(name), 1) + roff::heading("NAME") + roff::escape(name) + " \\- " + roff::escape(tool.text) + "\n";
  out += synopsis(tool) + section("DESCRIPTION", manual.description.empty() ? tool.text + "." : manual.description);
  out += roff::heading("OPTIONS") + option_list(tool) + commands(tool) + terms("SIGNALS", manual.signals) + exit_status(manual);
  out += terms("ENVIRONMENT", environment_of(tool, manual)) + terms("FILES", files_of(tool, manual)) + examples(manual);
  return out + section("SECURITY", manual.security) + section("BUGS", manual.bugs) + see_also(manual);
}

}  // namespace nlb::cli
