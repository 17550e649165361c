// What every program's command line refuses.
#include "libnlb/cli/tool.hpp"

#include <catch2/catch.hpp>

#include <iostream>
#include <optional>
#include <sstream>

using namespace nlb;
using namespace nlb::cli;

namespace {

// The exit code of a tool with numbers of every kind, in itself and in a verb's verb.
int run_with(std::vector<std::string> words, bool verb_required = false) {
  CLI::App app{"counts", "nlb-count"};
  Common common;
  double share = 0;
  std::optional<double> percent;
  std::vector<double> many;
  std::uint32_t whole = 0;
  std::string text;
  set_up(app, common);
  app.add_option("--share", share)->check(CLI::Range(0.0, 1.0))->option_text("SHARE");
  auto* above = app.add_subcommand("verb", "a verb");
  auto* verb = above->add_subcommand("again", "its own");
  if (verb_required) app.require_subcommand(1), above->require_subcommand(1);
  verb->add_option("--percent", percent);
  verb->add_option("--many", many);
  verb->add_option("--whole", whole);
  verb->add_option("--text", text);
  words.insert(words.begin(), "nlb-count");
  std::vector<char*> arguments;
  for (auto& word : words) arguments.push_back(word.data());
  return run(app, static_cast<int>(arguments.size()), arguments.data(), []() -> Result<ExitCode> { return ExitCode::done; });
}

}  // namespace

TEST_CASE("a word that is no verb is named, also where a verb is required") {
  const auto said = [](std::vector<std::string> words) {
    std::ostringstream text;
    auto* before = std::cerr.rdbuf(text.rdbuf());
    const int code = run_with(std::move(words), true);
    std::cerr.rdbuf(before);
    CHECK(code == 2);
    return text.str();
  };
  using Catch::Matchers::Contains;
  CHECK_THAT(said({"frobnicate"}), Contains("not expected: frobnicate"));
  CHECK_THAT(said({"--nope"}), Contains("not expected: --nope"));
  CHECK_THAT(said({"frobnicate", "--nope"}), Contains("not expected: frobnicate --nope"));
  CHECK_THAT(said({"verb", "frobnicate"}), Contains("not expected: frobnicate"));
  CHECK_THAT(said({}), Contains("subcommand is required"));
}

TEST_CASE("a number is finite, whatever its option allows") {
  for (const auto* bad : {"nan", "NaN", "-nan", "inf", "-inf", "infinity", "1e999"}) {
    INFO(bad);
    CHECK(run_with({"--share", bad}) == 2);
    CHECK(run_with({std::string("--share=") + bad}) == 2);
    CHECK(run_with({"verb", "again", "--percent", bad}) == 2);
    CHECK(run_with({"verb", "again", "--many", "1", bad}) == 2);
  }
  CHECK(run_with({"--share", "0.5", "verb", "again", "--percent", "1e-3", "--many", "1", "2", "--whole", "7"}) == 0);
  CHECK(run_with({"verb", "again", "--text", "nan"}) == 0);
}
