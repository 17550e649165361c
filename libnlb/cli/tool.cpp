#include "libnlb/cli/tool.hpp"

#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <iostream>
#include <map>

namespace nlb::cli {
namespace {

std::string exit_code_section() {
  std::string text = "Exit codes:\n";
  for (const auto& row : exit_codes)
    text += "  " + std::to_string(static_cast<int>(row.code)) + "  " + std::string(row.meaning) + "\n";
  return text;
}

int report(const CLI::App& app, const Error& error) {
  std::cerr << app.get_name() << ": " << error.text << "\n";
  return static_cast<int>(exit_code_of(error.kind));
}

}  // namespace

void set_up(CLI::App& app, Common& common) {
  app.set_version_flag("--version", app.get_name() + " " NLB_VERSION);
  static const std::map<std::string, Color> colors = {{"auto", Color::automatic}, {"always", Color::always}, {"never", Color::never}};
  app.add_option("--color", common.color, "when to use colour: auto, always, never")
      ->transform(CLI::CheckedTransformer(colors, CLI::ignore_case).description(""))
      ->option_text("WHEN");
  app.footer(exit_code_section());
  app.fallthrough();
}

void add_output_option(CLI::App& app, Common& common, bool with_csv) {
  std::map<std::string, Output> outputs = {{"auto", Output::automatic}, {"table", Output::table}, {"ndjson", Output::ndjson}};
  if (with_csv) outputs.emplace("csv", Output::csv);
  app.add_option("-o,--output", common.output,
                 with_csv ? "output format: table, ndjson or csv (default: table on a terminal, ndjson when piped)"
                          : "output format: table or ndjson (default: table on a terminal, ndjson when piped)")
      ->transform(CLI::CheckedTransformer(outputs, CLI::ignore_case).description(""))
      ->option_text("FORMAT");
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
    app.parse(argc, argv);
    const auto result = body();
    std::cout.flush();
    return result ? static_cast<int>(*result) : report(app, result.error());
  } catch (const CLI::Success& e) {
    return app.exit(e);
  } catch (const CLI::ParseError& e) {
    app.exit(e);
    return static_cast<int>(ExitCode::usage);
  } catch (const std::exception& e) {
    return report(app, {ErrorKind::internal, std::string("internal error: ") + e.what()});
  }
}

}  // namespace nlb::cli
