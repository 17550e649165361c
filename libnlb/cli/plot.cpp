#include "libnlb/cli/plot.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <limits>

namespace nlb::cli {
namespace {

struct Span { double low = std::numeric_limits<double>::infinity(), high = -std::numeric_limits<double>::infinity(); };

Span span_of(std::span<const double> values, Span span = {}) {
  for (const double value : values)
    if (std::isfinite(value)) span = {std::min(span.low, value), std::max(span.high, value)};
  return span;
}

std::vector<double> resampled(std::span<const double> values, std::size_t columns) {   // means of equal slices
  if (columns == 0 || values.size() <= columns) return {values.begin(), values.end()};
  std::vector<double> out;
  for (std::size_t i = 0; i < columns; ++i) {
    double sum = 0;
    std::size_t count = 0;
    for (std::size_t j = i * values.size() / columns; j < (i + 1) * values.size() / columns; ++j)
      if (std::isfinite(values[j])) sum += values[j], ++count;
    out.push_back(count ? sum / static_cast<double>(count) : std::numeric_limits<double>::quiet_NaN());
  }
  return out;
}

std::string braille(unsigned dots) {   // U+2800 and one bit a dot
  const unsigned point = 0x2800 + dots;
  return {static_cast<char>(0xe0 | point >> 12), static_cast<char>(0x80 | (point >> 6 & 0x3f)), static_cast<char>(0x80 | (point & 0x3f))};
}

class Canvas {   // dots; 2 by 4 a character, each character with the tint of its last dot
 public:
  Canvas(std::size_t columns, std::size_t rows) : columns_(columns), rows_(rows), dots_(columns * rows), tints_(columns * rows) {}
  std::size_t width() const { return columns_ * 2; }
  std::size_t height() const { return rows_ * 4; }
  void set(std::size_t x, std::size_t y, Tint tint) {   // y counts from the bottom
    static constexpr std::array<std::array<unsigned, 2>, 4> bits = {{{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}}};
    const auto from_top = height() - 1 - y;
    const auto cell = from_top / 4 * columns_ + x / 2;
    dots_[cell] |= bits[from_top % 4][x % 2];
    tints_[cell] = tint;
  }
  std::string row(std::size_t index, bool color) const {
    std::string out;
    for (std::size_t i = index * columns_; i < (index + 1) * columns_; ++i) out += dots_[i] ? tinted(braille(dots_[i]), tints_[i], color) : " ";
    return out;
  }

 private:
  std::size_t columns_, rows_;
  std::vector<unsigned> dots_;
  std::vector<Tint> tints_;
};

double value_at(const Series& series, double place) {   // place 0 to 1
  const double at = place * static_cast<double>(series.values.size() - 1);
  const auto left = static_cast<std::size_t>(at);
  const auto right = std::min(left + 1, series.values.size() - 1);
  if (series.steps) return series.values[left];
  return series.values[left] + (series.values[right] - series.values[left]) * (at - static_cast<double>(left));
}

void draw(Canvas& canvas, const Series& series, Span span) {
  if (series.values.empty()) return;
  const auto scale = [&](double value) {
    const double share = std::clamp((value - span.low) / (span.high - span.low), 0.0, 1.0);
    return static_cast<std::size_t>(std::lround(share * static_cast<double>(canvas.height() - 1)));
  };
  std::size_t before = canvas.height();
  for (std::size_t x = 0; x < canvas.width(); ++x) {
    const double value = value_at(series, static_cast<double>(x) / static_cast<double>(canvas.width() - 1));
    if (!std::isfinite(value)) {
      before = canvas.height();
      continue;
    }
    const auto y = scale(value);
    const auto from = series.area ? 0 : before == canvas.height() ? y : std::min(before, y);
    for (auto dot = from; dot <= std::max(y, series.area || before == canvas.height() ? y : before); ++dot) canvas.set(x, dot, series.tint);
    before = y;
  }
}

std::string legend(std::span<const Series> series, std::size_t indent, bool color) {
  std::string line(indent, ' ');
  for (const auto& one : series) line += tinted(one.area ? "▆ " : "─ ", one.tint, color) + one.name + "  ";
  return line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
}

std::string padded_left(const std::string& text, std::size_t width) {
  const auto have = display_width(text);
  return std::string(width > have ? width - have : 0, ' ') + text;
}

}  // namespace

std::string short_number(double value) {
  static constexpr std::array<const char*, 5> units = {"", "k", "M", "G", "T"};
  std::size_t unit = 0;
  while (std::abs(value) >= 999.95 && unit + 1 < units.size()) {
    value /= 1000;
    ++unit;
  }
  char text[32];
  const bool whole = std::abs(value - std::round(value)) < 0.05 || std::abs(value) >= 99.95;
  std::snprintf(text, sizeof text, whole ? "%.0f%s" : std::abs(value) < 1 ? "%.2f%s" : "%.1f%s", value, units[unit]);
  return text;
}

std::string sparkline(std::span<const double> values, std::size_t columns) {
  static constexpr std::array<const char*, 8> blocks = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  const auto shown = resampled(values, columns);
  const auto span = span_of(shown);
  std::string out;
  for (const double value : shown) {
    const double share = span.high > span.low ? (value - span.low) / (span.high - span.low) : 0;
    out += std::isfinite(value) ? blocks[static_cast<std::size_t>(std::lround(share * 7))] : " ";
  }
  return out;
}

std::string plot(std::span<const Series> series, const PlotOptions& options) {
  Span span;
  for (const auto& one : series) span = span_of(one.values, span);
  if (!std::isfinite(span.low)) return "nothing to plot\n";
  if (options.from_zero) span.low = std::min(span.low, 0.0);
  if (span.high <= span.low) span.high = span.low + 1;
  const auto label = [&](double value) { return options.label ? options.label(value) : short_number(value); };
  const std::size_t rows = std::max<std::size_t>(options.height, 6) - 3;   // the rest: axis, its ends, legend
  std::vector<std::string> labels(rows);
  std::size_t margin = 0;
  for (std::size_t i = 0; i < rows; ++i) {
    if (i % 4 != 0 && i + 1 != rows) continue;
    labels[i] = label(span.high - (span.high - span.low) * static_cast<double>(i) / static_cast<double>(rows - 1));
    margin = std::max(margin, display_width(labels[i]));
  }
  const std::size_t columns = std::max<std::size_t>(options.width, margin + 12) - margin - 2;
  Canvas canvas(columns, rows);
  for (const auto& one : series) draw(canvas, one, span);
  std::string out;
  for (std::size_t i = 0; i < rows; ++i) out += padded_left(labels[i], margin) + (labels[i].empty() ? " │" : " ┤") + canvas.row(i, options.color) + "\n";
  out += std::string(margin, ' ') + " └";
  for (std::size_t i = 0; i < columns; ++i) out += "─";
  const auto used = display_width(options.left);
  out += "\n" + std::string(margin + 2, ' ') + options.left + padded_left(options.right, columns > used ? columns - used : 0) + "\n";
  return out + legend(series, margin + 2, options.color);
}

}  // namespace nlb::cli
