// Completions for bash, zsh and fish from one description of the tool.
#include <algorithm>

#include "libnlb/cli/documents.hpp"

namespace nlb::cli {
namespace {

constexpr const char* note = "# Generated from the program's own definitions: edit those, then run tests/support/regenerate.sh\n";

std::string identifier(const std::vector<std::string>& words) {
  auto name = "_" + joined(words, "_");
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

std::string path_of(const CommandText& command) { return joined({command.words.begin() + 1, command.words.end()}, " "); }

std::string single_quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

std::vector<std::string> command_names(const CommandText& command) {
  std::vector<std::string> names;
  for (const auto& below : command.commands) names.push_back(below.words.back());
  return names;
}

// The options that are legal in a command: its own and, since global options fall through, those of the commands above it.
std::vector<const OptionText*> legal_options(const CommandText& tool, const CommandText& command) {
  std::vector<const OptionText*> all;
  const auto* at = &tool;
  const auto take = [&](const CommandText& level) {
    for (const auto& option : level.options)
      if (&level == &command || (!option.positional && option.names.back() != "--help")) all.push_back(&option);
  };
  take(*at);
  for (std::size_t i = 1; i < command.words.size(); ++i) {
    for (const auto& below : at->commands)
      if (below.words.back() == command.words[i]) {
        at = &below;
        break;
      }
    take(*at);
  }
  return all;
}

std::vector<std::string> option_names(const std::vector<const OptionText*>& options) {
  std::vector<std::string> names;
  for (const auto* option : options)
    if (!option->positional) names.insert(names.end(), option->names.begin(), option->names.end());
  return names;
}

const OptionText* file_argument(const CommandText& command) {
  for (const auto& option : command.options)
    if (option.positional && option.takes_file()) return &option;
  return nullptr;
}

std::vector<std::string> positional_choices(const CommandText& command) {
  for (const auto& option : command.options)
    if (option.positional && !option.choices.empty()) return option.choices;
  return {};
}

std::string bash_values(const CommandText& tool, const CommandText& command) {
  std::string out;
  for (const auto* option : legal_options(tool, command)) {
    if (option->positional || option->value.empty()) continue;
    std::string pattern;
    for (const auto& name : option->names) pattern += (pattern.empty() ? "'" : "|'") + path_of(command) + ":" + name + "'";
    out += "    " + pattern + ") ";
    if (!option->choices.empty()) out += "COMPREPLY=($(compgen -W '" + joined(option->choices, " ") + "' -- \"$cur\"))";
    else if (option->takes_file()) out += "compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- \"$cur\"))";
    out += "; return ;;\n";
  }
  auto at = out.find(") ; return");
  while (at != std::string::npos) {   // nothing to offer: no empty command
    out.replace(at, 4, ") ");
    at = out.find(") ; return");
  }
  return out;
}

std::string zsh_escape(std::string text) {
  std::string out;
  for (const char c : text) {
    if (c == '[' || c == ']' || c == ':' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

std::string zsh_action(const OptionText& option) {
  if (!option.choices.empty()) return "(" + joined(option.choices, " ") + ")";
  return option.takes_file() ? "_files" : " ";
}

std::string zsh_option(const OptionText& option) {
  std::string spec = option.many ? "'*'" : option.names.size() > 1 ? "'(" + joined(option.names, " ") + ")'" : "";
  spec += option.names.size() > 1 ? "{" + joined(option.names, ",") + "}" : option.names.front();
  auto tail = "[" + zsh_escape(option.text) + "]";
  if (!option.value.empty()) tail += ":" + zsh_escape(option.value) + ":" + zsh_action(option);
  return spec + single_quoted(tail);
}

std::string zsh_function(const CommandText& tool, const CommandText& command) {
  std::string out = identifier(command.words) + "() {\n  local curcontext=\"$curcontext\" state line\n  local -a commands\n  _arguments -C -S";
  for (const auto* option : legal_options(tool, command))
    if (!option->positional) out += " \\\n    " + zsh_option(*option);
  if (command.commands.empty()) {
    for (const auto* option : legal_options(tool, command))
      if (option->positional) out += " \\\n    " + single_quoted(std::string(option->many ? "*" : "") + ":" + zsh_escape(option->names.front()) + ":" + zsh_action(*option));
    return out + "\n}\n";
  }
  out += " \\\n    '1: :->command' '*:: :->arguments'\n  case $state in\n    command)\n      commands=(\n";
  for (const auto& below : command.commands) out += "        " + single_quoted(below.words.back() + ":" + zsh_escape(below.text)) + "\n";
  out += "      )\n      _describe command commands\n";
  if (file_argument(command)) out += "      _files\n";
  out += "      ;;\n    arguments)\n      case $words[1] in\n";
  for (const auto& below : command.commands) out += "        " + below.words.back() + ") " + identifier(below.words) + " ;;\n";
  if (file_argument(command)) out += "        *) _files ;;\n";
  return out + "      esac\n      ;;\n  esac\n}\n";
}

std::string fish_condition(const CommandText& command) {
  if (command.words.size() == 1) return "__fish_use_subcommand";
  std::string condition;
  for (std::size_t i = 1; i < command.words.size(); ++i) condition += (i > 1 ? "; and " : "") + std::string("__fish_seen_subcommand_from ") + command.words[i];
  if (!command.commands.empty()) condition += "; and not __fish_seen_subcommand_from " + joined(command_names(command), " ");
  return condition;
}

std::string fish_option(const std::string& head, const OptionText& option) {
  auto out = head;
  for (const auto& name : option.names) out += name.starts_with("--") ? " -l " + name.substr(2) : (name.size() == 2 ? " -s " : " -o ") + name.substr(1);
  if (!option.value.empty()) {
    out += option.takes_file() ? " -r -F" : " -x";
    if (!option.choices.empty()) out += " -a " + single_quoted(joined(option.choices, " "));
  }
  return out + " -d " + single_quoted(option.text) + "\n";
}

}  // namespace

std::string bash_completion(const CommandText& tool) {
  const auto function = identifier(tool.words);
  std::string out = std::string(note) + function + "() {\n  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} path='' word words='' files=''\n"
      "  if [[ $cur == '=' ]]; then cur=''; elif [[ $prev == '=' ]]; then prev=${COMP_WORDS[COMP_CWORD-2]}; fi\n  COMPREPLY=()\n"
      "  for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n    case \"$path:$word\" in\n";
  const auto all = tool.self_and_below();
  for (const auto* command : all)
    for (const auto& below : command->commands) out += "      '" + path_of(*command) + ":" + below.words.back() + "') path='" + path_of(below) + "' ;;\n";
  out += "      *) ;;\n    esac\n  done\n  case \"$path:$prev\" in\n";
  for (const auto* command : all) out += bash_values(tool, *command);
  out += "    *) ;;\n  esac\n  case \"$path:$cur\" in\n";
  for (const auto* command : all) {
    auto words = command_names(*command);
    for (const auto& choice : positional_choices(*command)) words.push_back(choice);
    out += "    '" + path_of(*command) + ":-'*) words='" + joined(option_names(legal_options(tool, *command)), " ") + "' ;;\n";
    out += "    '" + path_of(*command) + ":'*) words='" + joined(words, " ") + "'" + (file_argument(*command) ? " files=yes" : "") + " ;;\n";
  }
  return out + "    *) ;;\n  esac\n  COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
      "  if [[ $files ]]; then compopt -o filenames 2>/dev/null; COMPREPLY+=($(compgen -f -- \"$cur\")); fi\n}\ncomplete -F " + function + " " + tool.words.front() + "\n";
}

std::string zsh_completion(const CommandText& tool) {
  std::string out = "#compdef " + tool.words.front() + "\n" + note;
  for (const auto* command : tool.self_and_below()) out += zsh_function(tool, *command);
  return out + identifier(tool.words) + " \"$@\"\n";
}

std::string fish_completion(const CommandText& tool) {
  std::string out = note;
  const auto base = "complete -c " + tool.words.front();
  if (!file_argument(tool)) out += base + " -f\n";
  for (const auto& option : tool.options)
    if (!option.positional) out += fish_option(base, option);
  for (const auto* command : tool.self_and_below()) {
    const auto head = base + " -n " + single_quoted(fish_condition(*command));
    for (const auto& below : command->commands) out += head + " -a " + below.words.back() + " -d " + single_quoted(below.text) + "\n";
    if (command == &tool) continue;
    for (const auto& option : command->options) {
      if (!option.positional && option.names.back() != "--help") out += fish_option(head, option);
      if (option.positional && !option.choices.empty()) out += head + " -f -a " + single_quoted(joined(option.choices, " ")) + "\n";
      if (option.positional && option.takes_file()) out += head + " -F\n";
    }
  }
  return out;
}

}  // namespace nlb::cli
