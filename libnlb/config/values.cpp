#include "libnlb/config/values.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>

#include "libnlb/config/schema.hpp"

namespace nlb::config {
namespace {

tl::unexpected<Error> refuse(std::string_view text, const std::string& why) {
  static constexpr std::size_t shown_max = 80;   // a value pasted by mistake shouldn't fill the screen
  const auto shown = text.size() > shown_max ? std::string(text.substr(0, shown_max)) + "..." : std::string(text);
  return fail(ErrorKind::config, "'" + shown + "' " + why);
}

std::string range_text(const Key& key) { return limit_text(key, key.least) + " to " + limit_text(key, key.most); }

// The value in the key's unit is within its limits; most 0 means that the key has none.
Result<> in_range(std::string_view text, double value, const Key& key) {
  if (key.most == 0 && key.least == 0) return {};
  if (value < key.least) return refuse(text, "is below " + limit_text(key, key.least) + ": write a value from " + range_text(key));
  if (value > key.most) return refuse(text, "is above " + limit_text(key, key.most) + ": write a value from " + range_text(key));
  return {};
}

Result<double> number(std::string_view text, const Key& key) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || !std::isfinite(value))
    return refuse(text, "is no number: write a value from " + range_text(key));
  if (auto ok = in_range(text, value, key); !ok) return tl::unexpected(ok.error());
  return value;
}

Result<std::uint64_t> whole(std::string_view text, const Key& key) {
  std::uint64_t value = 0;
  if (key.type == Type::size) {
    const auto size = parse_size(text);
    if (!size) return tl::unexpected(size.error());
    value = *size;
  } else {
    const bool negative = text.size() > 1 && text.front() == '-' && std::isdigit(static_cast<unsigned char>(text[1]));
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (negative) return refuse(text, "is below " + limit_text(key, key.least) + ": write a whole number from " + range_text(key));
    if (error == std::errc::result_out_of_range) return refuse(text, "is above " + limit_text(key, key.most) + ": write a whole number from " + range_text(key));
    if (error != std::errc{} || end != text.data() + text.size())
      return refuse(text, "is no whole number: write a whole number from " + range_text(key));
  }
  if (auto ok = in_range(text, static_cast<double>(value), key); !ok) return tl::unexpected(ok.error());
  return value;
}

std::string size_text(std::uint64_t value) {
  static constexpr std::array<std::pair<const char*, int>, 4> units = {{{"TiB", 40}, {"GiB", 30}, {"MiB", 20}, {"KiB", 10}}};
  for (const auto& [name, shift] : units)
    if (value >= (std::uint64_t{10} << shift) && value % (std::uint64_t{1} << shift) == 0) return std::to_string(value >> shift) + name;
  return std::to_string(value);
}

}  // namespace

std::string limit_text(const Key& key, double limit) {
  if (key.type == Type::duration) return format_duration(from_seconds(limit));
  if (key.type == Type::size) return size_text(static_cast<std::uint64_t>(limit));
  char text[32];
  std::snprintf(text, sizeof text, "%.15g", limit);
  const bool exponent = std::string_view(text).find('e') != std::string_view::npos;
  if (exponent && limit >= 1) std::snprintf(text, sizeof text, "%.0f", limit);
  return text;
}

template <> Result<bool> parse_value<bool>(std::string_view text, const Key&) {
  for (const auto word : {"true", "yes", "on"})
    if (text == word) return true;
  for (const auto word : {"false", "no", "off"})
    if (text == word) return false;
  return refuse(text, "is neither yes nor no: write true or false");
}
template <> Result<double> parse_value<double>(std::string_view text, const Key& key) { return number(text, key); }
template <> Result<std::uint64_t> parse_value<std::uint64_t>(std::string_view text, const Key& key) { return whole(text, key); }
template <> Result<std::uint32_t> parse_value<std::uint32_t>(std::string_view text, const Key& key) {
  const auto value = whole(text, key);   // the key's own limit is below 2^32: a test holds that
  if (!value) return tl::unexpected(value.error());
  return static_cast<std::uint32_t>(*value);
}
template <> Result<Duration> parse_value<Duration>(std::string_view text, const Key& key) {
  const bool negative = text.size() > 1 && text.front() == '-' && parse_duration(text.substr(1)).has_value();
  if (negative) return refuse(text, "is below " + limit_text(key, key.least) + ": write a duration from " + range_text(key));
  const auto value = parse_duration(text);
  if (!value) return tl::unexpected(value.error());
  if (auto ok = in_range(text, to_seconds(*value), key); !ok) return tl::unexpected(ok.error());
  return value;
}
template <> Result<Endpoint> parse_value<Endpoint>(std::string_view text, const Key&) { return parse_endpoint(text); }
template <> Result<Network> parse_value<Network>(std::string_view text, const Key&) { return parse_network(text); }
template <> Result<std::string> parse_value<std::string>(std::string_view text, const Key& key) {
  const bool braces = text.find("${") != std::string_view::npos;
  for (auto at = text.find("${"); at != std::string_view::npos; at = text.find("${", at + 2))
    if (!text.substr(at).starts_with("${runtime}") && !text.substr(at).starts_with("${state}"))
      return refuse(text, "names an unknown place: known are ${runtime} and ${state}");
  if (!key.choices.empty() && !braces)
    if (const auto index = parse_choice(text, key); !index) return tl::unexpected(index.error());
  return std::string(text);
}

Result<std::size_t> parse_choice(std::string_view text, const Key& key) {
  const auto found = std::find(key.choices.begin(), key.choices.end(), text);
  if (found != key.choices.end()) return static_cast<std::size_t>(found - key.choices.begin());
  std::vector<std::string> names(key.choices.begin(), key.choices.end());
  std::string list;
  for (const auto& name : names) list += (list.empty() ? "" : ", ") + name;
  const auto near = nearest(text, names);
  return refuse(text, "is none of " + list + ": " + (near ? "did you mean '" + *near + "'?" : "write one of these"));
}

std::string print_value(bool value, const Key&) { return value ? "true" : "false"; }
std::string print_value(double value, const Key&) {
  char text[32];
  const auto [end, error] = std::to_chars(text, text + sizeof text, value);   // the shortest that reads back exactly
  return error == std::errc{} ? std::string(text, end) : "0";
}
std::string print_value(std::uint64_t value, const Key& key) { return key.type == Type::size ? size_text(value) : std::to_string(value); }
std::string print_value(std::uint32_t value, const Key& key) { return print_value(std::uint64_t{value}, key); }
std::string print_value(Duration value, const Key&) { return format_duration(value); }
std::string print_value(const Endpoint& value, const Key&) { return to_string(value); }
std::string print_value(const Network& value, const Key&) { return to_string(value); }
std::string print_value(const std::string& value, const Key&) { return value; }

std::string quote_yaml(std::string_view text) {
  static constexpr std::string_view words[] = {"null", "Null", "NULL", "~", "true", "false", "yes", "no", "on", "off"};
  const auto plain = [](unsigned char c) { return std::isalnum(c) || c >= 0x80 || std::string_view("-_./+%").find(static_cast<char>(c)) != std::string_view::npos; };
  const bool safe_colons = text.find(": ") == std::string_view::npos && !text.ends_with(':') && !text.starts_with(':');
  const bool safe = !text.empty() && text.front() != '-' && text.front() != '%' && safe_colons &&
                    std::find(std::begin(words), std::end(words), text) == std::end(words) &&
                    std::all_of(text.begin(), text.end(), [&](char c) { return plain(static_cast<unsigned char>(c)) || c == ':'; });
  if (safe) return std::string(text);
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\x%02x", static_cast<unsigned char>(c));
      quoted += escape;
    } else {
      quoted += c;
    }
  }
  return quoted + "\"";
}

}  // namespace nlb::config
