// YAML text as a tree of plain values, each with its position and where it came from. No YAML library type leaves document.cpp.
// Bounded: 4 MiB of text, 32 levels, 200,000 nodes after aliases are expanded (a "billion laughs" file stops there).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "libnlb/config/load.hpp"

namespace nlb::config {

inline constexpr std::size_t document_bytes_max = 4 << 20;
inline constexpr std::size_t document_depth_max = 32;
inline constexpr std::size_t document_nodes_max = 200000;

struct Member;
struct Node {
  enum class Kind : std::uint8_t { null, scalar, list, map };
  Kind kind = Kind::null;
  Source source = Source::file;
  int line = 0, column = 0;      // of the value, from 1; 0 when it isn't from the file
  std::string text;              // of a scalar
  std::string from;              // the variable or flag it came from; empty for the file
  std::vector<Member> members;   // of a list (empty keys) or a map, in the file's order
};
struct Member {
  std::string key;
  int line = 0, column = 0;      // of the key
  Node value;
};

const Member* find_member(const Node& map, std::string_view key);   // null when absent or no map; linear

struct Document {
  Node root;                     // a map, or null for an empty file
  std::vector<Problem> problems;   // syntax, duplicate keys, tabs, limits
};
Document parse_document(std::string_view yaml);

}  // namespace nlb::config
