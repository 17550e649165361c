#include "libnlb/config/schema.hpp"

#include <algorithm>

namespace nlb::config {
namespace {

Schema& child_named(Schema& parent, std::string_view name) {
  for (auto& child : parent.children)
    if (child.name == name) return child;
  parent.children.push_back({std::string(name), Schema::Kind::section, nullptr, {}});
  return parent.children.back();
}

void insert(Schema& root, const Key& key) {
  auto* at = &root;
  for (auto rest = key.path; !rest.empty();) {
    const auto dot = std::min(rest.find('.'), rest.size());
    auto word = rest.substr(0, dot);
    rest.remove_prefix(std::min(dot + 1, rest.size()));
    const bool list = word.ends_with("[]");
    if (list) word.remove_suffix(2);
    if (word == "*") {
      at->kind = Schema::Kind::map;
      word = "";
    }
    at = &child_named(*at, word);
    if (list) {
      at->kind = Schema::Kind::list;
      at = &child_named(*at, "");
    }
  }
  at->kind = Schema::Kind::leaf;
  at->key = &key;
}

Schema build() {
  Schema root;
  for (const auto& key : keys()) insert(root, key);
  return root;
}

std::vector<std::string> names_in(const Schema& section) {
  std::vector<std::string> names;
  for (const auto& child : section.children) names.push_back(child.name);
  return names;
}

// Paths of other sections that end in this very word: for a key at the wrong level.
std::vector<std::string_view> paths_ending_in(std::string_view word) {
  std::vector<std::string_view> paths;
  for (const auto& key : keys())
    if (key.path.ends_with(word) && key.path.size() > word.size() && key.path[key.path.size() - word.size() - 1] == '.')
      paths.push_back(key.path);
  return paths;
}

std::string join(const std::vector<std::string>& words, std::size_t most) {
  std::string text;
  for (std::size_t i = 0; i < words.size() && i < most; ++i) text += (i ? ", " : "") + words[i];
  return words.size() > most ? text + ", ..." : text;
}

std::string shown(const std::string& path) { return path.empty() ? "the file" : path; }

std::string_view found_name(const Node& node) {
  switch (node.kind) {
    case Node::Kind::null: return "nothing";
    case Node::Kind::scalar: return "a single value";
    case Node::Kind::list: return "a list";
    case Node::Kind::map: return "a map";
  }
  return "nothing";
}

void wrong_shape(const Node& node, const std::string& path, const std::string& wanted, std::vector<Problem>& problems) {
  problems.push_back(problem_at(node, shown(path) + ": " + std::string(found_name(node)) + " stands here: " + wanted));
}

bool takes_list(Type type) { return type == Type::texts || type == Type::addresses || type == Type::networks; }

std::string advice(const Key& key) {
  if (key.choices.empty()) return "write " + std::string(type_advice(key.type));
  return "write one of " + join({key.choices.begin(), key.choices.end()}, key.choices.size());
}

void check_leaf(const Node& node, const Key& key, const std::string& path, std::vector<Problem>& problems) {
  if (node.kind == Node::Kind::map && !(path.ends_with(".observe") && node.members.empty()))
    return wrong_shape(node, path, advice(key), problems);
  if (node.kind != Node::Kind::list) return;
  if (!takes_list(key.type)) return wrong_shape(node, path, advice(key), problems);
  for (std::size_t i = 0; i < node.members.size(); ++i)
    if (node.members[i].value.kind != Node::Kind::scalar)
      wrong_shape(node.members[i].value, path + "[" + std::to_string(i) + "]", "each element is a single value", problems);
}

void check_section(const Node& node, const Schema& section, const std::string& path, std::vector<Problem>& problems) {
  if (node.kind != Node::Kind::map) return wrong_shape(node, path, "write a map with the keys " + join(names_in(section), 6), problems);
  for (const auto& member : node.members) {
    const auto below = path.empty() ? member.key : path + "." + member.key;
    if (const auto* child = section.child(member.key)) {
      check_shape(member.value, *child, below, problems);
      continue;
    }
    auto problem = problem_at(member.value, below + ": unknown key: " + advice_for(member.key, section));
    if (member.line > 0) problem.line = member.line, problem.column = member.column;
    problems.push_back(std::move(problem));
  }
}

}  // namespace

const Schema* Schema::child(std::string_view key_name) const {
  if (kind != Kind::section) return nullptr;
  for (const auto& candidate : children)
    if (candidate.name == key_name) return &candidate;
  return nullptr;
}

const Schema& schema() {
  static const Schema root = build();
  return root;
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    before.swap(last);
    last.swap(row);
  }
  return last[b.size()];
}

std::optional<std::string> nearest(std::string_view word, const std::vector<std::string>& candidates) {
  if (word.size() > 64) return std::nullopt;
  const std::string* best = nullptr;
  std::size_t least = std::max<std::size_t>(word.size() / 3, 1) + 1;
  for (const auto& candidate : candidates) {
    if (candidate.size() >= word.size() + least || word.size() >= candidate.size() + least) continue;   // can't be near
    const auto distance = edit_distance(word, candidate);
    if (distance < least) least = distance, best = &candidate;
  }
  return best ? std::optional(*best) : std::nullopt;
}

std::string advice_for(std::string_view unknown, const Schema& section) {
  const auto names = names_in(section);
  if (const auto near = nearest(unknown, names)) return "did you mean '" + *near + "'?";
  for (const auto& name : names)   // half a name, such as max for sessions_max
    if (unknown.size() >= 3 && name.size() > unknown.size() && (name.starts_with(unknown) || name.ends_with(unknown)))
      return "did you mean '" + name + "'?";
  if (const auto elsewhere = paths_ending_in(unknown); !elsewhere.empty()) return "the nearest known key is '" + std::string(elsewhere.front()) + "'";
  return "known here: " + join(names, 24);
}

void check_shape(const Node& node, const Schema& schema, const std::string& path, std::vector<Problem>& problems) {
  if (node.kind == Node::Kind::null) return;   // as if absent
  switch (schema.kind) {
    case Schema::Kind::leaf: return check_leaf(node, *schema.key, path, problems);
    case Schema::Kind::section: return check_section(node, schema, path, problems);
    case Schema::Kind::list:
      if (node.kind != Node::Kind::list) return wrong_shape(node, path, "write a list, each element with '- ' in front", problems);
      for (std::size_t i = 0; i < node.members.size(); ++i) {
        const auto below = path + "[" + std::to_string(i) + "]";
        const auto& element = node.members[i].value;
        if (element.kind == Node::Kind::null) wrong_shape(element, below, "remove the '-' or write the element", problems);
        check_shape(element, schema.element(), below, problems);
      }
      return;
    case Schema::Kind::map:
      if (node.kind != Node::Kind::map) return wrong_shape(node, path, "write a map of names", problems);
      for (const auto& member : node.members) check_shape(member.value, schema.element(), path + "." + member.key, problems);
      return;
  }
}

Problem problem_at(const Node& node, const std::string& text) {
  return {node.line, node.column, node.from.empty() ? text : node.from + ": " + text, node.source};
}

}  // namespace nlb::config
