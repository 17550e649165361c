// Rows with aligned columns for people. When it is wider than the terminal, the columns that may shrink are cut, the widest first.
#pragma once

#include <string>
#include <vector>

#include "libnlb/cli/text.hpp"

namespace nlb::cli {

enum class Align : std::uint8_t { left, right };
struct Column {
  std::string title;
  Align align = Align::left;
  bool may_shrink = false;     // texts of any length; never below 8 columns
};
struct Cell {
  std::string text;
  Tint tint = Tint::none;
  Cell(std::string t, Tint c = Tint::none) : text(std::move(t)), tint(c) {}   // NOLINT: a cell is mostly just a text
  Cell(const char* t) : text(t) {}                                            // NOLINT
};

class Table {   // holds all its rows: for bounded lists; streams go out as NDJSON
 public:
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  void add(std::vector<Cell> row);   // missing cells are empty; more than there are columns is our mistake
  bool empty() const { return rows_.empty(); }
  // `width` 0: as wide as it needs. Text from outside is made printable; every line ends in a newline.
  std::string render(std::size_t width = 0, bool color = false) const;

 private:
  std::vector<std::size_t> widths(std::size_t limit) const;
  std::vector<Column> columns_;
  std::vector<std::vector<Cell>> rows_;
};

// A horizontal bar of eighth blocks: `share` (0 to 1) of `columns`.
std::string bar(double share, std::size_t columns);

}  // namespace nlb::cli
