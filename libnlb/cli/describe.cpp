#include "libnlb/cli/describe.hpp"

#include <sstream>

#include "libnlb/cli/manual.hpp"

namespace nlb::cli {
namespace {

std::vector<std::string> split_words(const std::string& list) {
  std::vector<std::string> words;
  std::istringstream in(list);
  for (std::string word; std::getline(in, word, ',');) words.push_back(word);
  return words;
}

std::vector<std::string> choices_of(CLI::Option& option) {
  try {
    for (int i = 0;; ++i) {   // ends by CLI11's exception: it has no count
      const auto* validator = option.get_validator(i);
      if (validator->get_name().starts_with(choices_mark)) return split_words(validator->get_name().substr(std::string(choices_mark).size()));
      const auto member = validator->get_description();   // CLI::IsMember says {a,b,c}
      if (member.size() > 2 && member.front() == '{' && member.back() == '}' && member.find("->") == std::string::npos)
        return split_words(member.substr(1, member.size() - 2));
    }
  } catch (const CLI::OptionNotFound&) {
    return {};
  }
}

std::string placeholder(const CLI::Option& option) {
  if (option.get_items_expected_max() == 0) return {};
  const auto& given = option.get_option_text();
  return given.empty() ? "VALUE" : given;
}

OptionText describe_option(CLI::Option& option) {
  OptionText out;
  for (const auto& name : option.get_snames()) out.names.push_back("-" + name);
  for (const auto& name : option.get_lnames()) out.names.push_back("--" + name);
  out.value = placeholder(option);
  out.text = option.get_description();
  out.choices = choices_of(option);
  out.positional = option.get_positional();
  out.required = option.get_required();
  out.many = option.get_items_expected_max() > 1;
  if (out.positional) {
    const auto shown = option.get_option_text().empty() ? option.get_name(true) : out.value;
    out.many = out.many || shown.ends_with("...");
    out.names = {shown.substr(0, shown.find("..."))};
  }
  return out;
}

void describe_options(CLI::App& app, CommandText& out) {
  for (auto* option : app.get_options([](CLI::Option*) { return true; }))
    if (!option->get_group().empty()) out.options.push_back(describe_option(*option));
}

CommandText describe_command(CLI::App& app, std::vector<std::string> words) {
  CommandText out;
  words.push_back(app.get_name());
  out.words = words;
  out.text = app.get_description();
  describe_options(app, out);
  for (auto* below : app.get_subcommands([](CLI::App* candidate) { return !candidate->get_group().empty() || candidate->get_name().empty(); })) {
    if (below->get_name().empty()) describe_options(*below, out);   // an option group
    else out.commands.push_back(describe_command(*below, words));
  }
  return out;
}

}  // namespace

bool OptionText::takes_file() const {
  const auto& place = positional ? names.front() : value;
  for (const auto* word : {"FILE", "DIR", "PATH"})
    if (place.find(word) != std::string::npos) return true;
  return false;
}

std::vector<const CommandText*> CommandText::self_and_below() const {
  std::vector<const CommandText*> all = {this};
  for (const auto& command : commands)
    for (const auto* below : command.self_and_below()) all.push_back(below);
  return all;
}

CommandText describe(CLI::App& app) { return describe_command(app, {}); }

std::string joined(const std::vector<std::string>& words, const std::string& between) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : between) + word;
  return text;
}

}  // namespace nlb::cli
