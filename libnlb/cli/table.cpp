#include "libnlb/cli/table.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <numeric>

namespace nlb::cli {
namespace {

constexpr std::size_t gap = 2, shrunk_least = 8;

std::string pad(const std::string& text, std::size_t width, Align align, const std::string& styled) {
  const auto have = display_width(text);
  const std::string space(width > have ? width - have : 0, ' ');
  return align == Align::right ? space + styled : styled + space;
}

std::string trimmed(std::string line) {
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

}  // namespace

void Table::add(std::vector<Cell> row) {
  assert(row.size() <= columns_.size());
  row.resize(columns_.size(), Cell(""));
  for (auto& cell : row) cell.text = printable(cell.text);
  rows_.push_back(std::move(row));
}

std::vector<std::size_t> Table::widths(std::size_t limit) const {
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    widths.push_back(display_width(columns_[i].title));
    for (const auto& row : rows_) widths[i] = std::max(widths[i], display_width(row[i].text));
  }
  auto total = std::accumulate(widths.begin(), widths.end(), columns_.empty() ? 0 : gap * (columns_.size() - 1));
  while (limit > 0 && total > limit) {
    std::size_t widest = columns_.size();
    for (std::size_t i = 0; i < columns_.size(); ++i)
      if (columns_[i].may_shrink && widths[i] > shrunk_least && (widest == columns_.size() || widths[i] > widths[widest])) widest = i;
    if (widest == columns_.size()) break;
    --widths[widest];
    --total;
  }
  return widths;
}

std::string Table::render(std::size_t width, bool color) const {
  const auto columns = widths(width);
  std::string out, line;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    const auto title = cut_to_width(columns_[i].title, columns[i]);
    line += pad(title, columns[i], columns_[i].align, tinted(title, Tint::bold, color)) + std::string(i + 1 < columns_.size() ? gap : 0, ' ');
  }
  out += trimmed(std::move(line)) + "\n";
  for (const auto& row : rows_) {
    line.clear();
    for (std::size_t i = 0; i < row.size(); ++i) {
      const auto text = cut_to_width(row[i].text, columns[i]);
      line += pad(text, columns[i], columns_[i].align, tinted(text, row[i].tint, color)) + std::string(i + 1 < row.size() ? gap : 0, ' ');
    }
    out += trimmed(std::move(line)) + "\n";
  }
  return out;
}

std::string bar(double share, std::size_t columns) {
  static constexpr std::array<const char*, 8> eighths = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  if (!(share > 0)) return {};
  const auto units = static_cast<std::size_t>(std::lround(std::min(share, 1.0) * static_cast<double>(columns) * 8));
  std::string out;
  for (std::size_t i = 0; i < units / 8; ++i) out += "█";
  return out + eighths[units % 8];
}

}  // namespace nlb::cli
