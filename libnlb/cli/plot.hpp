// Charts of numbers as text: a sparkline in one line, and a plot of several series in Braille dots (two across, four down a character).
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "libnlb/cli/text.hpp"

namespace nlb::cli {

// One character a value (the mean of several when there are more values than `columns`), scaled from the least to the greatest;
// a value that isn't finite is a blank.
std::string sparkline(std::span<const double> values, std::size_t columns = 0);

struct Series {
  std::string name;
  std::vector<double> values;    // evenly spaced; series of different lengths are stretched to the same width
  Tint tint = Tint::none;
  bool area = false;             // filled down to the axis
  bool steps = false;            // holds each value until the next, instead of a straight line between
};
struct PlotOptions {
  std::size_t width = 80, height = 16;   // of the whole chart in characters, axes and legend included
  bool color = false;
  bool from_zero = true;                 // the axis starts at 0 when no value is below
  std::string left, right;               // under the ends of the axis: "now", "+2h"
  std::function<std::string(double)> label;   // of the vertical axis; default: a short number (1.2k)
};
std::string plot(std::span<const Series> series, const PlotOptions& options);
std::string short_number(double value);   // "950", "1.2k", "3.4M"

}  // namespace nlb::cli
