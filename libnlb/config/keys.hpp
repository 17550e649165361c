// The table of every key of nlb.yaml: path, type, default, limits, who reads it, and its effect in one sentence. It is the only such
// list: unknown keys, wrong shapes and ranges are judged by it, --print-config and nlb.yaml.5 are made from it, and a test holds its
// defaults against config.hpp. A path names list elements with [] ("listen[].backlog") and maps of free keys with * ("services.*.picker").
#pragma once

#include <span>
#include <string_view>

#include "libnlb/config/names.hpp"

namespace nlb::config {

enum class Type : std::uint8_t { text, texts, flag, whole, number, size, duration, address, addresses, networks, choice };

struct Key {
  std::string_view path;
  Type type = Type::text;
  std::string_view fallback;            // the default as text; empty: none
  std::string_view effect;              // one sentence
  double least = 0, most = 0;           // of whole, number, size (bytes) and duration (seconds)
  Names choices = {};
  bool required = false;
};

struct Section { std::string_view name, readers, effect; };   // readers: the tools that read it

std::span<const Key> keys();
std::span<const Section> sections();   // in the order of nlb.yaml.5
std::string_view type_name(Type type);   // "duration"
std::string_view type_advice(Type type);   // "a number and a unit, such as 50ms or 1h30m"

}  // namespace nlb::config
