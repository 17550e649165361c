#include "tools/nlb-inspect/bytes_command.hpp"

#include <unistd.h>

#include <fstream>
#include <iostream>
#include <iterator>

#include "libnlb/core/bytes.hpp"
#include "libnlb/inspect/detector.hpp"
#include "libnlb/inspect/proxy_header.hpp"
#include "libnlb/inspect/signatures.hpp"
#include "tools/nlb-inspect/text_out.hpp"

namespace nlb::inspect_tool {
namespace {

using inspect::Answer;
using inspect::Speaker;

inspect::Verdict judge(Bytes bytes, Speaker from) {
  std::size_t header = 0;
  if (from == Speaker::client) {
    const auto proxy = inspect::parse_proxy_header(bytes);
    if (proxy.answer == inspect::ProxyAnswer::more && !bytes.empty() && inspect::detect(bytes).answer != Answer::match)
      return {Answer::more, Protocol::unknown, 0, proxy.need_bytes, 0};
    if (proxy.answer == inspect::ProxyAnswer::match) header = proxy.bytes;
  }
  auto verdict = inspect::detect(bytes.subspan(header), from);
  const auto shift = static_cast<std::uint32_t>(header);
  if (verdict.answer == Answer::more) verdict.need_bytes += shift;
  else verdict.decided_at_byte += shift;
  return verdict;
}

std::string_view word(Answer answer) {
  switch (answer) {
    case Answer::match: return "match";
    case Answer::more: return "more";
    case Answer::unknown: return "unknown";
  }
  return "unknown";
}

class VerdictPrinter {
 public:
  VerdictPrinter(TextOut& out, cli::Output output) : out_(out), output_(output) {
    if (output_ == cli::Output::csv) line("verdict,protocol,need_bytes,decided_at_byte,rule");
    if (output_ == cli::Output::table) line("VERDICT   PROTOCOL     NEED  DECIDED AT  RULE");
  }
  void print(const inspect::Verdict& v) {
    const bool match = v.answer == Answer::match;
    const auto protocol = to_string(match ? v.protocol : Protocol::unknown);
    const auto rule = match ? inspect::rule(v.rule).name : std::string_view();
    if (output_ == cli::Output::ndjson) return ndjson(v, protocol, rule);
    if (output_ == cli::Output::csv) {
      out_ << word(v.answer) << ',' << protocol << ',' << std::uint64_t{v.need_bytes} << ',' << std::uint64_t{v.decided_at_byte} << ',' << rule;
    } else {
      out_.padded(word(v.answer), 10);
      out_.padded(protocol, 11);
      out_.padded(std::to_string(v.need_bytes), 6, true);
      out_.padded(std::to_string(v.decided_at_byte), 12, true);
      out_ << "  " << rule;
    }
    out_.end_line();
  }

 private:
  void line(std::string_view text) {
    out_ << text;
    out_.end_line();
  }
  void ndjson(const inspect::Verdict& v, std::string_view protocol, std::string_view rule) {
    out_ << R"({"verdict":")" << word(v.answer) << R"(","protocol":")" << protocol << R"(","need_bytes":)" << std::uint64_t{v.need_bytes}
         << R"(,"decided_at_byte":)" << std::uint64_t{v.decided_at_byte} << R"(,"rule":)";
    if (rule.empty()) out_ << "null";
    else out_.json(rule);
    out_ << '}';
    out_.end_line();
  }
  TextOut& out_;
  cli::Output output_;
};

Result<cli::ExitCode> judge_lines(std::istream& in, Speaker from, VerdictPrinter& printer) {
  std::string text;
  for (std::size_t number = 1; std::getline(in, text); ++number) {
    if (!text.empty() && text.back() == '\r') text.pop_back();
    const auto bytes = from_hex(text == "-" ? "" : text);
    if (!bytes) return fail(ErrorKind::bad_input, "line " + std::to_string(number) + " is not hexadecimal: two digits a byte: '" + printable(text.substr(0, 40)) + "'");
    printer.print(judge(*bytes, from));
  }
  return cli::ExitCode::done;
}

Result<cli::ExitCode> judge_whole(std::istream& in, const BytesOptions& options, Speaker from, VerdictPrinter& printer) {
  constexpr std::size_t enough = 1 << 20;   // the detector looks at a few thousand bytes
  std::string text(enough, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  std::vector<std::uint8_t> bytes(text.begin(), text.end());
  if (options.hex) {
    std::string digits;
    for (const char c : text)
      if (c != '\n' && c != '\r' && c != '\t') digits += c;
    auto decoded = from_hex(digits);
    if (!decoded) return fail(ErrorKind::bad_input, "the input is not hexadecimal: two digits a byte: '" + printable(text.substr(0, 40)) + "'");
    bytes = std::move(*decoded);
  }
  const auto verdict = judge(bytes, from);
  printer.print(verdict);
  return verdict.answer == Answer::match ? cli::ExitCode::done : cli::ExitCode::no;
}

}  // namespace

Result<cli::ExitCode> run_bytes(const Options& options) {
  const auto& o = options.bytes;
  const bool from_stdin = o.file == "-";
  if (from_stdin && ::isatty(STDIN_FILENO) != 0)
    return fail(ErrorKind::usage, "standard input is a terminal: pipe bytes in, for example: printf 'PING\\r\\n' | nlb-inspect bytes");
  std::ifstream file;
  if (!from_stdin) {
    file.open(o.file, std::ios::binary);
    if (!file) return fail(ErrorKind::unavailable, "cannot open " + o.file + ": name a file, or - for standard input");
  }
  std::istream& in = from_stdin ? std::cin : file;
  TextOut out(STDOUT_FILENO);
  VerdictPrinter printer(out, cli::effective_output(options.common));
  return o.lines ? judge_lines(in, o.from, printer) : judge_whole(in, o, o.from, printer);
}

}  // namespace nlb::inspect_tool
