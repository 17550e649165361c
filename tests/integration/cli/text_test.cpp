#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <sstream>

#include "libnlb/cli/live.hpp"
#include "libnlb/cli/ndjson.hpp"
#include "libnlb/cli/plot.hpp"
#include "libnlb/cli/table.hpp"

using namespace nlb::cli;

TEST_CASE("width counts columns, not bytes") {
  CHECK(display_width("abc") == 3);
  CHECK(display_width("größe") == 5);
  CHECK(display_width("日本") == 4);
  CHECK(display_width("e\xcc\x81") == 1);
  CHECK(display_width("\x1b[31mred\x1b[0m") == 3);
  CHECK(display_width("\xff\xfe") == 2);
  CHECK(display_width("\xe6\x97") == 2);
}

TEST_CASE("a cut text fits, shows that it was cut, and closes its colour") {
  CHECK(cut_to_width("abcdef", 6) == "abcdef");
  CHECK(cut_to_width("abcdef", 4) == "abc…");
  CHECK(cut_to_width("日本語", 4) == "日…");
  CHECK(cut_to_width("\x1b[31mabcdef\x1b[0m", 3) == "\x1b[31mab…\x1b[0m");
  CHECK(cut_to_width("abc", 0) == "");
}

TEST_CASE("text from outside can't move the cursor") {
  CHECK(printable("a\x1b[2Jb") == "a\\x1b[2Jb");
  CHECK(printable("tab\there") == "tab\\x09here");
  CHECK(printable("caf\xc3\xa9") == "caf\xc3\xa9");
  CHECK(printable("\xc3(") == "\\xc3(");
}

TEST_CASE("a table aligns, shrinks what may shrink, and has no blanks at line ends") {
  Table table({{"NAME", Align::left, true}, {"COUNT", Align::right}, {"WHY"}});
  table.add({"größe", "7", "x"});
  table.add({"a-rather-long-name", "12345", ""});
  CHECK(table.render() == "NAME                COUNT  WHY\ngröße                   7  x\na-rather-long-name  12345\n");
  CHECK(table.render(24) == "NAME          COUNT  WHY\ngröße             7  x\na-rather-lo…  12345\n");
  CHECK(table.render(1).find("a-rathe…") != std::string::npos);
  Table tinted_table({{"A"}});
  tinted_table.add({Cell("x", Tint::red)});
  CHECK(tinted_table.render(0, true) == "\x1b[1mA\x1b[0m\n\x1b[31mx\x1b[0m\n");
}

TEST_CASE("bars have a resolution of an eighth of a column") {
  CHECK(bar(0, 10).empty());
  CHECK(bar(1, 3) == "███");
  CHECK(bar(2, 3) == "███");
  CHECK(bar(0.5, 1) == "▌");
  CHECK(bar(std::nan(""), 3).empty());
}

TEST_CASE("a JSON line keeps the order of its keys and survives text that is no UTF-8") {
  std::ostringstream out;
  NdjsonWriter writer(out);
  writer.write({{"zeta", 1}, {"alpha", "a\nb"}});
  writer.write({{"raw", "\xff"}});
  CHECK(out.str() == "{\"zeta\":1,\"alpha\":\"a\\nb\"}\n{\"raw\":\"\xef\xbf\xbd\"}\n");
  CHECK(writer.good());
}

TEST_CASE("a sparkline goes from the lowest to the highest block") {
  const double values[] = {0, 1, 2, 3, 4, 5, 6, 7};
  CHECK(sparkline(values) == "▁▂▃▄▅▆▇█");
  CHECK(sparkline(values, 2) == "▁█");
  const double flat[] = {3, 3};
  CHECK(sparkline(flat) == "▁▁");
  const double hole[] = {0, std::nan(""), 1};
  CHECK(sparkline(hole) == "▁ █");
  CHECK(sparkline({}).empty());
}

TEST_CASE("a plot has the size that was asked for, labels and a legend") {
  const std::vector<Series> series = {{"load", {0, 10, 20, 30}, Tint::none, true, false}, {"wanted", {1, 1, 2, 3}, Tint::none, false, true}};
  PlotOptions options;
  options.width = 40;
  options.height = 10;
  options.left = "0s";
  options.right = "3s";
  const auto text = plot(series, options);
  CHECK(std::count(text.begin(), text.end(), '\n') == 10);
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) CHECK(display_width(line) <= 40);
  CHECK(text.find("30 ┤") != std::string::npos);
  CHECK(text.find("▆ load  ─ wanted") != std::string::npos);
  CHECK(text.find("⣿") != std::string::npos);
  CHECK(plot({}, options) == "nothing to plot\n");
  const std::vector<Series> broken = {{"x", {std::nan(""), 5, std::nan("")}}};
  CHECK(plot(broken, options).find("5 ┤") != std::string::npos);
}

TEST_CASE("numbers on axes are short") {
  CHECK(short_number(0) == "0");
  CHECK(short_number(0.25) == "0.25");
  CHECK(short_number(950) == "950");
  CHECK(short_number(1234) == "1.2k");
  CHECK(short_number(3.4e6) == "3.4M");
  CHECK(short_number(999999) == "1M");
}

TEST_CASE("a progress line says share, amount and time left, and fits") {
  const auto line = ProgressBar::line("reading", 50 << 20, 100 << 20, 10, 80);
  CHECK(line.find("50 %  50.0 MiB of 100.0 MiB  10s left") != std::string::npos);
  CHECK(display_width(line) <= 80);
  CHECK(display_width(ProgressBar::line("reading", 1, 100, 0, 20)) <= 20);
  CHECK(ProgressBar::line("reading", 2048, 0, 5, 80) == "reading  2.0 KiB");
}
