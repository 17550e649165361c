#include "libnlb/cli/tool.hpp"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <utility>

#include "libnlb/cli/documents.hpp"

namespace nlb::cli {
namespace {

std::string exit_code_section() {
  std::string text = "Exit codes:\n";
  for (const auto& row : exit_codes)
    text += "  " + std::to_string(static_cast<int>(row.code)) + "  " + std::string(row.meaning) + "\n";
  return text;
}

int report(const CLI::App& app, const Error& error) {
  const bool lines = error.text.find('\n') != std::string::npos;
  std::cerr << (lines ? "" : app.get_name() + ": ") << error.text << (error.text.ends_with('\n') ? "" : "\n");
  return static_cast<int>(exit_code_of(error.kind));
}

// CLI11 reads "nan" and "inf" as numbers, its ranges let NaN pass, and no option of ours has a use for either.
std::string refuse_endless(const std::string& text) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  const bool number = end != text.c_str() && *end == '\0';      // what is none is told by its conversion
  return number && !std::isfinite(value) ? "'" + text + "' is no finite number: write one such as 0.5" : "";
}

void keep_numbers_finite(CLI::App& app) {
  for (auto* option : app.get_options([](const CLI::Option* o) { return o->get_type_name().find("FLOAT") != std::string::npos; }))
    option->check(refuse_endless);
  for (auto* verb : app.get_subcommands([](const CLI::App*) { return true; })) keep_numbers_finite(*verb);
}

}  // namespace

void set_up(CLI::App& app, Common& common, Manual manual) {
  app.set_version_flag("--version", app.get_name() + " " NLB_VERSION, "print the version and leave");
  app.get_help_ptr()->description("print this help and leave");
  add_choice<Color>(app, "--color", common.color, {{"auto", Color::automatic}, {"always", Color::always}, {"never", Color::never}},
                    "when to use colour: auto, always, never")->option_text("WHEN");
  const auto text = std::make_shared<Manual>(std::move(manual));
  app.add_option_function<std::string>("--generate", [&app, text](const std::string& kind) {
       std::cout << generate(app, *text, kind) << std::flush;
       throw CLI::Success();
     })->group("")->check(CLI::IsMember(document_kinds()));
  app.footer(exit_code_section());
  app.fallthrough();
}

CLI::Validator choice_validator(std::map<std::string, std::string> words) {
  std::string shown, name = choices_mark;
  for (const auto& [word, value] : words) {
    name += (shown.empty() ? "" : ",") + word;
    shown += (shown.empty() ? "" : ", ") + word;
  }
  const auto take = [words = std::move(words), shown](std::string& text) -> std::string {
    const auto found = words.find(CLI::detail::to_lower(text));
    if (found == words.end()) return "'" + text + "' is none of " + shown;
    text = found->second;
    return {};
  };
  return CLI::Validator(take, "", name);
}

void add_output_option(CLI::App& app, Common& common, bool with_csv) {
  std::map<std::string, Output> outputs = {{"auto", Output::automatic}, {"table", Output::table}, {"ndjson", Output::ndjson}};
  if (with_csv) outputs.emplace("csv", Output::csv);
  add_choice<Output>(app, "-o,--output", common.output, outputs,
                     with_csv ? "output format: table, ndjson or csv (default: table on a terminal, ndjson when piped)"
                              : "output format: table or ndjson (default: table on a terminal, ndjson when piped)")->option_text("FORMAT");
}

Output effective_output(const Common& common) {
  if (common.output != Output::automatic) return common.output;
  return isatty(STDOUT_FILENO) ? Output::table : Output::ndjson;
}

bool use_color(const Common& common, int descriptor) {
  if (common.color != Color::automatic) return common.color == Color::always;
  const char* no_color = std::getenv("NO_COLOR");
  return isatty(descriptor) && (no_color == nullptr || *no_color == '\0');
}

int run(CLI::App& app, int argc, char** argv, const std::function<Result<ExitCode>()>& body) {
  std::signal(SIGPIPE, SIG_DFL);   // a filter whose reader has gone ends quietly
  try {
    keep_numbers_finite(app);
    app.parse(argc, argv);
    const auto result = body();
    if (!std::cout.flush()) return report(app, {ErrorKind::unavailable, "the output could not be written: is the disk full?"});
    return result ? static_cast<int>(*result) : report(app, result.error());
  } catch (const CLI::Success& e) {
    return app.exit(e);
  } catch (const CLI::ParseError& e) {
    // With a verb required CLI11 asks for one and doesn't name the word that is none.
    auto strange = app.remaining(true);
    std::reverse(strange.begin(), strange.end());      // it prints them from behind
    if (dynamic_cast<const CLI::RequiredError*>(&e) != nullptr && !strange.empty()) app.exit(CLI::ExtrasError(app.get_name(), strange));
    else app.exit(e);
    return static_cast<int>(ExitCode::usage);
  } catch (const std::exception& e) {
    return report(app, {ErrorKind::internal, std::string("internal error: ") + e.what()});
  }
}

}  // namespace nlb::cli
