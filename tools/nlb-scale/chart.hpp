// One run drawn: demand, ready capacity and what was ordered over time, as text for a terminal and as SVG.
#pragma once

#include <string>
#include <vector>

#include "libnlb/scale/plant.hpp"

namespace nlb::tool {

struct ChartLine { std::vector<double> demand, ready, ordered; };   // one value per column, the largest of its time
ChartLine sampled(const scale::Trace& trace, const std::vector<scale::Step>& steps, std::size_t columns);

std::string text_chart(const ChartLine& line, std::size_t columns, double days, bool color);
std::string svg_chart(const ChartLine& line, const std::string& title, double days);

}  // namespace nlb::tool
