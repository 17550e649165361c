// The keys table as a tree, and what it can say about a document: unknown keys with the nearest known one, and wrong shapes.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libnlb/config/document.hpp"
#include "libnlb/config/keys.hpp"

namespace nlb::config {

struct Schema {
  enum class Kind : std::uint8_t { section, list, map, leaf };
  std::string name;                 // the last word of the path; empty for the element of a list or map
  Kind kind = Kind::section;
  const Key* key = nullptr;         // of a leaf
  std::vector<Schema> children;     // of a list or map: the one element
  const Schema* child(std::string_view key_name) const;   // of a section; null when there is none
  const Schema& element() const { return children.front(); }   // precondition: a list or map
};
const Schema& schema();   // built once from keys()

// Damerau-Levenshtein distance with adjacent transpositions ("optimal string alignment"); O(len a * len b).
std::size_t edit_distance(std::string_view a, std::string_view b);

// The candidate nearest to `word`, when near enough to be meant (a third of its letters, at least one).
std::optional<std::string> nearest(std::string_view word, const std::vector<std::string>& candidates);

// "did you mean 'x'?" for an unknown key of `section`: the nearest sibling, else the place where a key of that very name exists,
// else the keys that are known here.
std::string advice_for(std::string_view unknown, const Schema& section);

void check_shape(const Node& node, const Schema& schema, const std::string& path, std::vector<Problem>& problems);
Problem problem_at(const Node& node, const std::string& text);   // with the variable or flag in front when it came from one

}  // namespace nlb::config
