#include "chart.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "libnlb/cli/plot.hpp"

namespace nlb::tool {
namespace {

template <class... Args>
std::string format(const char* pattern, Args... args) {
  char text[256];
  std::snprintf(text, sizeof text, pattern, args...);
  return text;
}

double top_of(const ChartLine& line) {
  double top = 1;
  for (const auto* values : {&line.demand, &line.ready, &line.ordered})
    for (double v : *values) top = std::max(top, v);
  return top;
}

std::string escaped(const std::string& text) {
  std::string out;
  for (char c : text) {
    if (c == '<') out += "&lt;";
    else if (c == '>') out += "&gt;";
    else if (c == '&') out += "&amp;";
    else out += c;
  }
  return out;
}

std::string polyline(const std::vector<double>& values, double top, const char* colour, const char* name) {
  std::string points;
  const double step = 1100.0 / static_cast<double>(std::max<std::size_t>(values.size(), 2) - 1);
  for (std::size_t i = 0; i < values.size(); ++i) points += format("%.1f,%.1f ", 70 + step * static_cast<double>(i), 430 - 380 * values[i] / top);
  return format("<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"1.2\" points=\"", colour) + points + "\"><title>" + name + "</title></polyline>\n";
}

}  // namespace

ChartLine sampled(const scale::Trace& trace, const std::vector<scale::Step>& steps, std::size_t columns) {
  ChartLine line;
  std::size_t i = 0;
  const auto n = static_cast<std::int64_t>(columns);
  for (std::int64_t c = 0; c < n; ++c) {
    const auto from = trace.seconds() * c / n, to = std::max(from + 1, trace.seconds() * (c + 1) / n);
    double demand = 0;
    for (auto s = from; s < std::min(to, trace.seconds()); ++s) demand = std::max(demand, trace.demand(s));
    while (i + 1 < steps.size() && steps[i + 1].t <= from) ++i;
    std::uint32_t ready = steps[i].ready, ordered = steps[i].ordered;
    for (auto j = i; j < steps.size() && steps[j].t < to; ++j) {
      ready = std::max(ready, steps[j].ready);
      ordered = std::max(ordered, steps[j].ordered);
    }
    line.demand.push_back(demand);
    line.ready.push_back(ready);
    line.ordered.push_back(ordered);
  }
  return line;
}

std::string text_chart(const ChartLine& line, std::size_t columns, double days, bool color) {
  const std::array<cli::Series, 2> series = {cli::Series{"demand in replicas", line.demand, cli::Tint::none, true, false},
                                             cli::Series{"ready replicas", line.ready, cli::Tint::none, false, true}};
  cli::PlotOptions options;
  options.width = columns;
  options.color = color;
  options.left = "0";
  options.right = format("%.2f days", days);
  return cli::plot(series, options);
}

std::string svg_chart(const ChartLine& line, const std::string& title, double days) {
  const double top = top_of(line) * 1.05;
  std::string svg = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 1200 480\" font-family=\"sans-serif\" font-size=\"13\">\n"
                    "<rect width=\"1200\" height=\"480\" fill=\"white\"/>\n<text x=\"70\" y=\"28\" font-size=\"16\">" + escaped(title) + "</text>\n";
  for (int i = 0; i <= 4; ++i) {
    const double y = 430 - 95.0 * i;
    svg += format("<line x1=\"70\" y1=\"%.0f\" x2=\"1170\" y2=\"%.0f\" stroke=\"#ddd\"/><text x=\"60\" y=\"%.0f\" text-anchor=\"end\">%.0f</text>\n", y, y, y + 4, top * i / 4);
    svg += format("<text x=\"%.0f\" y=\"450\" text-anchor=\"middle\">%.2f d</text>\n", 70 + 275.0 * i, days * i / 4);
  }
  svg += polyline(line.ready, top, "#d55e00", "ready replicas") + polyline(line.demand, top, "#0072b2", "demand in replicas");
  svg += "<text x=\"900\" y=\"28\" fill=\"#0072b2\">demand</text><text x=\"980\" y=\"28\" fill=\"#d55e00\">ready replicas</text>\n</svg>\n";
  return svg;
}

}  // namespace nlb::tool
