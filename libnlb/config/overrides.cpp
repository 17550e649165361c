#include "libnlb/config/overrides.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "libnlb/config/schema.hpp"
#include "libnlb/core/protocol.hpp"

namespace nlb::config {
namespace {

using Words = std::vector<std::string>;

struct Override {
  Words words;
  std::string value;
  std::string from;   // "NLB_ADMIN__ADDRESS", "--set admin.address"
  Source source;
};

constexpr std::array<std::string_view, 21> tool_variables = {
    "NLB_CONFIG", "NLB_BIN", "NLB_SHARED", "NLB_SOURCE", "NLB_API_KEY", "NLB_API_KEY_FILE", "NLB_RUNTIME_DIR", "NLB_STATE_DIR",
    "NLB_MANAGER_API_KEY", "NLB_LICENSE_KEY", "NLB_READY_FD", "NLB_VERSION", "NLB_PRESET", "NLB_ENDPOINT",
    "NLB_PORT", "NLB_SERVICE", "NLB_INDEX", "NLB_INSTANCE", "NLB_ACTION", "NLB_COUNT", "NLB_GRACE_SECONDS"};   // nlb-scale's targets set these
constexpr std::array<std::string_view, 5> tool_prefixes = {"NLB_TEST_", "NLB_BENCH_", "NLB_E2E_", "NLB_QUICKSTART_", "NLB_FUZZ_"};

std::string lower(std::string_view text) {
  std::string out(text);
  for (auto& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

std::string folded(std::string_view text) {   // what a variable's name can tell: no case, no dash, no dot
  auto out = lower(text);
  for (auto& c : out)
    if (c == '-' || c == '.') c = '_';
  return out;
}

Words split(std::string_view text, std::string_view separator) {
  Words words;
  while (true) {
    const auto at = text.find(separator);
    words.emplace_back(text.substr(0, at));
    if (at == std::string_view::npos) return words;
    text.remove_prefix(at + separator.size());
  }
}

Words flag_words(std::string path) {   // "listen[0].name" and "listen.0.name" are the same
  std::string dotted;
  for (const char c : path)
    if (c == '[') dotted += '.';
    else if (c != ']') dotted += c;
  return split(dotted, ".");
}

// Gives a place the value: nested YAML when it looks like a list or map, else the text as it is.
void assign(Node& target, const Override& over, const Schema& schema);

void stamp(Node& node, const Override& over) {
  node.source = over.source;
  node.from = over.from;
  node.line = node.column = 0;
  for (auto& member : node.members) {
    member.line = member.column = 0;
    stamp(member.value, over);
  }
}

bool takes_list(const Schema& schema) {
  return schema.kind == Schema::Kind::leaf && (schema.key->type == Type::texts || schema.key->type == Type::addresses || schema.key->type == Type::networks);
}

void assign(Node& target, const Override& over, const Schema& schema) {
  target = Node{};
  const bool nested = over.value.starts_with('{') || (over.value.starts_with('[') && !over.value.starts_with("[:") && over.value.ends_with(']'));
  if (nested) {
    auto parsed = parse_document(over.value);
    if (parsed.problems.empty()) target = std::move(parsed.root);
  }
  if (target.kind == Node::Kind::null && over.value != "null") {
    target.kind = Node::Kind::scalar;
    target.text = over.value;
  }
  if (target.kind == Node::Kind::scalar && takes_list(schema) && over.value.find(',') != std::string::npos) {
    target.kind = Node::Kind::list;
    for (auto& word : split(over.value, ",")) {
      Node element;
      element.kind = Node::Kind::scalar;
      element.text = std::move(word);
      target.members.push_back({{}, 0, 0, std::move(element)});
    }
  }
  stamp(target, over);
}

void become(Node& node, Node::Kind kind, const Override& over) {   // an absent or empty place becomes a map or list
  if (node.kind != Node::Kind::null) return;
  node.kind = kind;
  if (node.line == 0) stamp(node, over);
}

Node& member_of(Node& map, const std::string& key, const Override& over) {
  for (auto& member : map.members)
    if (member.key == key) return member.value;
  map.members.push_back({key, 0, 0, {}});
  map.members.back().value.source = over.source;
  return map.members.back().value;
}

std::string known_or(const Node& map, const std::string& word) {   // the spelling that the file uses, if it has the key
  for (const auto& member : map.members)
    if (folded(member.key) == folded(word)) return member.key;
  return word;
}

Node* element_named(Node& list, const std::string& word) {
  for (auto& member : list.members) {
    const auto* name = find_member(member.value, "name");
    const auto* service = find_member(member.value, "service");   // a policy is named by its service
    const auto* known = name ? name : service;
    if (known && folded(known->value.text) == folded(word)) return &member.value;
  }
  return nullptr;
}

std::string names_of_elements(const Node& list) {
  std::string text;
  for (const auto& member : list.members)
    if (const auto* name = find_member(member.value, "name")) text += (text.empty() ? "" : ", ") + name->value.text;
  return text.empty() ? "the list has no named elements: use an index from 0" : "its names are " + text;
}

Node& append(Node& list) {
  list.members.emplace_back();
  return list.members.back().value;
}

// A limit that is named like a protocol and isn't there yet.
Node& make_limit(Node& list, const std::string& name, const Override& over, const Schema& limit) {
  auto& element = append(list);
  become(element, Node::Kind::map, over);
  for (const char* key : {"name", "protocol"}) {
    auto preset = over;
    preset.value = name;
    assign(member_of(element, key, over), preset, *limit.child(key));
  }
  return element;
}

struct Place { Node* node = nullptr; std::string problem; };

Place element_of(Node& list, const std::string& word, const Override& over, const Schema& schema) {
  std::size_t index = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), index);
  if (error == std::errc{} && end == word.data() + word.size()) {
    if (index < list.members.size()) return {&list.members[index].value, {}};
    if (index == list.members.size()) return {&append(list), {}};
    return {nullptr, "no element " + word + ": '" + schema.name + "' has " + std::to_string(list.members.size()) + ": the next is " + std::to_string(list.members.size())};
  }
  if (auto* named = element_named(list, word)) return {named, {}};
  if (schema.name == "limits" && parse_protocol(word)) return {&make_limit(list, word, over, schema.element()), {}};
  return {nullptr, "no element of '" + schema.name + "' is called '" + word + "': " + names_of_elements(list)};
}

// Walks the words down the schema and the document together, making what is missing.
std::string apply_one(Node& root, const Override& over) {
  auto* node = &root;
  const auto* level = &schema();
  for (const auto& word : over.words) {
    switch (level->kind) {
      case Schema::Kind::leaf:
        if (!takes_list(*level)) return "unknown key: '" + level->name + "' is a single value: remove '" + word + "'";
        [[fallthrough]];
      case Schema::Kind::list: {
        become(*node, Node::Kind::list, over);
        if (node->kind != Node::Kind::list) return "'" + level->name + "' is no list in the file: mend it there first";
        const auto place = element_of(*node, word, over, *level);
        if (!place.node) return place.problem;
        node = place.node;
        if (level->kind == Schema::Kind::list) level = &level->element();
        break;
      }
      case Schema::Kind::section: {
        const auto* child = level->child(word);
        if (!child) return "unknown key '" + word + "': " + advice_for(word, *level);
        become(*node, Node::Kind::map, over);
        if (node->kind != Node::Kind::map) return "'" + level->name + "' is no map in the file: mend it there first";
        node = &member_of(*node, word, over);
        level = child;
        break;
      }
      case Schema::Kind::map:
        become(*node, Node::Kind::map, over);
        if (node->kind != Node::Kind::map) return "'" + level->name + "' is no map in the file: mend it there first";
        node = &member_of(*node, known_or(*node, word), over);
        level = &level->element();
        break;
    }
  }
  assign(*node, over, *level);
  return {};
}

void apply_all(Document& document, const std::vector<Override>& overrides) {
  for (const auto& over : overrides)
    if (auto text = apply_one(document.root, over); !text.empty()) document.problems.push_back({0, 0, over.from + ": " + text, over.source});
}

}  // namespace

bool is_tool_variable(std::string_view name) {
  if (std::find(tool_variables.begin(), tool_variables.end(), name) != tool_variables.end()) return true;
  if (std::any_of(tool_prefixes.begin(), tool_prefixes.end(), [&](auto prefix) { return name.starts_with(prefix); })) return true;
  const bool from_kubernetes = name.ends_with("_SERVICE_HOST") || name.find("_SERVICE_PORT") != std::string_view::npos ||
                               name == "NLB_PORT" || name.find("_PORT_") != std::string_view::npos || name.ends_with("_PORT");
  return from_kubernetes && name.find("__") == std::string_view::npos;
}

void apply_environment(Document& document, const std::vector<std::pair<std::string, std::string>>& environment) {
  std::vector<Override> overrides;
  for (const auto& [name, value] : environment)
    if (name.starts_with("NLB_") && !is_tool_variable(name)) overrides.push_back({split(lower(std::string_view(name).substr(4)), "__"), value, name, Source::environment});
  // The environment has no order: sorted, so that the same variables always give the same elements.
  std::sort(overrides.begin(), overrides.end(), [](const auto& a, const auto& b) { return a.from < b.from; });
  apply_all(document, overrides);
}

void apply_flags(Document& document, const std::vector<std::pair<std::string, std::string>>& flags) {
  std::vector<Override> overrides;
  for (const auto& [path, value] : flags) overrides.push_back({flag_words(path), value, "--set " + path, Source::flag});
  apply_all(document, overrides);
}

}  // namespace nlb::config
