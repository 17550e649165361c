#include "libnlb/scale/prometheus.hpp"

#include <charconv>
#include <cmath>

namespace nlb::scale {
namespace {

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r')) text.remove_suffix(1);
  return text;
}

std::string_view word(std::string_view& rest) {
  rest = trimmed(rest);
  const auto end = std::min(rest.find_first_of(" \t"), rest.size());
  const auto out = rest.substr(0, end);
  rest.remove_prefix(end);
  return out;
}

// {a="b",c="d"}: leaves `rest` after the brace. False: damaged.
bool read_labels(std::string_view& rest, std::map<std::string, std::string>& out) {
  rest.remove_prefix(1);
  while (true) {
    while (!rest.empty() && (rest.front() == ' ' || rest.front() == ',')) rest.remove_prefix(1);
    if (rest.empty()) return false;
    if (rest.front() == '}') {
      rest.remove_prefix(1);
      return true;
    }
    const auto equals = rest.find('=');
    if (equals == rest.npos || equals + 1 >= rest.size() || rest[equals + 1] != '"') return false;
    const std::string name(trimmed(rest.substr(0, equals)));
    rest.remove_prefix(equals + 2);
    std::string value;
    while (!rest.empty() && rest.front() != '"') {
      if (rest.front() == '\\' && rest.size() > 1) {
        rest.remove_prefix(1);
        value += rest.front() == 'n' ? '\n' : rest.front();
      } else {
        value += rest.front();
      }
      rest.remove_prefix(1);
    }
    if (rest.empty()) return false;
    rest.remove_prefix(1);
    out[name] = value;
  }
}

bool agree(const std::map<std::string, std::string>& wanted, const std::map<std::string, std::string>& found) {
  for (const auto& [name, value] : wanted) {
    const auto at = found.find(name);
    if (at == found.end() || at->second != value) return false;
  }
  return true;
}

std::optional<double> number(std::string_view text) {
  if (!text.empty() && text.front() == '+') text.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size() && std::isfinite(value) ? std::optional(value) : std::nullopt;
}

}  // namespace

std::optional<Scraped> scraped(std::string_view text, std::string_view metric, const std::map<std::string, std::string>& labels) {
  Scraped out;
  out.counter = metric.ends_with("_total");
  bool found = false;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    auto line = trimmed(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.starts_with('#')) {
      line.remove_prefix(1);
      if (word(line) == "TYPE" && word(line) == metric) out.counter = word(line) == "counter";
      continue;
    }
    if (!line.starts_with(metric)) continue;
    line.remove_prefix(metric.size());
    if (line.empty() || (line.front() != '{' && line.front() != ' ' && line.front() != '\t')) continue;   // a longer name
    std::map<std::string, std::string> of_series;
    if (line.front() == '{' && !read_labels(line, of_series)) continue;
    const auto value = number(word(line));
    if (!value || !agree(labels, of_series)) continue;
    out.sum += *value;
    found = true;
  }
  return found ? std::optional(out) : std::nullopt;
}

}  // namespace nlb::scale
