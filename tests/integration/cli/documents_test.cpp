#include "libnlb/cli/documents.hpp"

#include <catch2/catch.hpp>

#include "libnlb/cli/config_file.hpp"
#include "libnlb/cli/roff.hpp"
#include "libnlb/cli/tool.hpp"

using namespace nlb;
using namespace nlb::cli;

namespace {

struct Tool {   // a small tool with everything a page can show
  CLI::App app{"does things", "nlb-thing"};
  Common common;
  ConfigOptions config;
  std::string mode, target;
  std::vector<std::string> files;
  bool hidden = false;
  Tool() {
    set_up(app, common, {"First.\n\n  shown as it is\nSecond.", {{"nlb-thing 'a b'", "Do it:"}}, {{"/x", "A file."}}, {}, {{"HUP", "Loads again."}}, "nothing was found.", "", "It's slow.", {"nlb-scale(1)"}});
    add_output_option(app, common);
    add_config_options(app, config);
    app.add_option("files", files, "what to read")->option_text("FILE...");
    app.add_flag("--hidden", hidden, "not shown")->group("");
    auto* verb = app.add_subcommand("start", "start it's work");
    verb->add_option("target", target, "what to start")->required()->option_text("TARGET");
    verb->add_option("--mode", mode, "how")->check(CLI::IsMember({"fast", "slow"}));
    app.add_subcommand("secret", "not shown")->group("");
  }
};

bool has(const std::string& text, const std::string& part) {
  INFO(text);
  CHECK(text.find(part) != std::string::npos);
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a man page has every option, command and text, and nothing that is hidden") {
  Tool tool;
  const auto page = generate(tool.app, {"First.\n\n  shown as it is\nSecond.", {{"nlb-thing 'a b'", "Do it:"}}, {{"/x", "A file."}}, {}, {{"HUP", "Loads again."}}, "nothing was found.", "", "It's slow.", {"nlb-scale(1)"}}, "man");
  has(page, ".SH NAME\nnlb\\-thing \\- does things\n");
  has(page, "\\fBnlb\\-thing\\fR [\\fIOPTION\\fR...] [\\fIFILE\\fR...]\n");
  has(page, "\\fBnlb\\-thing start\\fR [\\fIOPTION\\fR...] \\fITARGET\\fR\n");
  has(page, "\\fB\\-o\\fR, \\fB\\-\\-output\\fR \\fIFORMAT\\fR\n");
  has(page, ".SS start\nstart it\\(aqs work.\n");
  has(page, ".nf\n.RS 4\nshown as it is\n.RE\n.fi\n.PP\nSecond.\n");
  has(page, ".TP\n\\fB1\\fR\nnothing was found.\n");
  has(page, "\\fBNLB_CONFIG\\fR");
  has(page, "nlb\\-thing \\(aqa b\\(aq\n");
  CHECK(page.find("hidden") == std::string::npos);
  CHECK(page.find("secret") == std::string::npos);
  CHECK(page.find("generate ") == std::string::npos);
}

TEST_CASE("completions know words, files and global options behind a command") {
  Tool tool;
  const auto bash = generate(tool.app, {}, "bash");
  has(bash, "':--color') COMPREPLY=($(compgen -W 'always auto never'");
  has(bash, "'start:--mode') COMPREPLY=($(compgen -W 'fast slow'");
  has(bash, "':-c'|':--config') compopt -o filenames");
  has(bash, "':'*) words='start' files=yes ;;");
  has(generate(tool.app, {}, "zsh"), "start) _nlb_thing_start ;;");
  has(generate(tool.app, {}, "zsh"), "'start:start it'\\''s work'");
  has(generate(tool.app, {}, "fish"), "complete -c nlb-thing -n '__fish_seen_subcommand_from start' -l mode -x -a 'fast slow' -d 'how'");
}

TEST_CASE("nlb.yaml.5 has a line for keys of every section") {
  const auto page = config_man_page();
  has(page, ".SS listen\n");
  has(page, "\\fBservices.*.eject.max_percent\\fR (whole number, 0 to 100; default 10)\nAt most");
  has(page, "\\fBmodules[].weight\\fR (whole number, 0 to 65535; default 100)\n");
  has(page, "\\fBregistry.lease\\fR (duration, 1s to 1h; default 30s)\n");
}

TEST_CASE("nothing in a text can become a request of the page") {
  CHECK(roff::escape(".SH evil") == "\\&.SH evil");
  CHECK(roff::escape("'x") == "\\&\\(aqx");
  CHECK(roff::escape("a\\b-c") == "a\\eb\\-c");
  CHECK(roff::prose("  .x\n") == ".PP\n.nf\n.RS 4\n\\&.x\n.RE\n.fi\n");
}

TEST_CASE("exit codes: help is 0, a wrong option 2, an error its kind") {
  const auto run_with = [](std::vector<std::string> words, const Result<ExitCode>& answer) {
    Tool tool;
    std::vector<char*> argv;
    for (auto& word : words) argv.push_back(word.data());
    return run(tool.app, static_cast<int>(argv.size()), argv.data(), [&] { return answer; });
  };
  CHECK(run_with({"t", "--help"}, ExitCode::done) == 0);
  CHECK(run_with({"t", "--wrong"}, ExitCode::done) == 2);
  CHECK(run_with({"t", "--color", "pink"}, ExitCode::done) == 2);
  CHECK(run_with({"t"}, ExitCode::no) == 1);
  CHECK(run_with({"t"}, fail(ErrorKind::config, "a:1:1: x\nb:1:1: y\n")) == 3);
  CHECK(run_with({"t"}, fail(ErrorKind::timeout, "late")) == 5);
}
