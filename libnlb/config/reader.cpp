#include "libnlb/config/reader.hpp"

#include <cassert>

namespace nlb::config {
namespace {

const Node absent{};

// A free key with a dot or bracket in it stands in quotes, so that the path can be taken apart again.
std::string path_word(const std::string& key) {
  return key.find_first_of(".[") == std::string::npos ? key : '"' + key + '"';
}

}  // namespace

Reader::Reader(Session& session, const Node& node, const Schema& schema, std::string path)
    : session_(&session), node_(&node), schema_(&schema), path_(std::move(path)) {}

std::string Reader::join(std::string_view key) const {
  if (path_.empty() || key.empty()) return path_ + std::string(key);
  return path_ + "." + std::string(key);
}

Reader::Slot Reader::slot(std::string_view key) const {
  const auto* leaf = schema_->child(key);
  assert(leaf && leaf->key);
  const auto* member = find_member(*node_, key);
  const auto& node = member ? member->value : absent;
  if (leaf->key->required && node.kind == Node::Kind::null)
    session_->problems.push_back(problem_at(member && node.line ? node : *node_, join(key) + ": missing: it has no default: add '" + std::string(key) + ": ...' (" + std::string(type_advice(leaf->key->type)) + ")"));
  return {leaf->key, &node, join(key)};
}

void Reader::refuse(const Slot& slot, const Node& node, const std::string& text) const {
  session_->problems.push_back(problem_at(node, slot.path + ": " + text));
}

void Reader::record(const Slot& slot, std::string value) const {
  const bool given = slot.node->kind != Node::Kind::null || slot.node->line > 0 || !slot.node->from.empty();
  session_->origins.push_back({slot.path, std::move(value), given ? slot.node->source : Source::default_value, slot.node->line});
}

void Reader::read(std::string_view key, std::map<std::string, std::string>& out) {
  each_named(key, [&](const std::string& name, const Reader& element) {
    const Slot here{element.schema_->key, element.node_, element.path_};
    if (element.node_->kind != Node::Kind::scalar) return;
    if (auto value = element.convert<std::string>(here, *element.node_)) out.insert_or_assign(name, std::move(*value));
    record(here, quote_yaml(element.node_->text));
  });
}

void Reader::read_or_off(std::string_view key, double& out) {
  const auto here = slot(key);
  const bool off = here.node->kind == Node::Kind::null && (here.node->line > 0 || !here.node->from.empty());
  if (off) out = 0;
  if (here.node->kind == Node::Kind::scalar)
    if (const auto value = convert<double>(here, *here.node)) {
      out = *value;
      if (out == 0) refuse(here, *here.node, "a target of zero would want replicas without end: write what one replica shall carry, or null to leave this target out");
    }
  record(here, out == 0 ? "null" : print(out, *here.key));
}

Reader Reader::at(std::string_view key) const {
  const auto* below = schema_->child(key);
  assert(below && below->kind == Schema::Kind::section);
  const auto* member = find_member(*node_, key);
  return {*session_, member ? member->value : absent, *below, join(key)};
}

void Reader::each(std::string_view key, const std::function<void(Reader)>& visit) const {
  const auto* list = schema_->child(key);
  assert(list && list->kind == Schema::Kind::list);
  const auto* member = find_member(*node_, key);
  if (!member || member->value.kind != Node::Kind::list || member->value.members.empty())
    return session_->origins.push_back({join(key), "[]", member ? member->value.source : Source::default_value, member ? member->value.line : 0});
  for (std::size_t i = 0; i < member->value.members.size(); ++i)
    if (const auto& element = member->value.members[i].value; element.kind == Node::Kind::map)
      visit({*session_, element, list->element(), join(key) + "[" + std::to_string(i) + "]"});
}

void Reader::each_named(std::string_view key, const std::function<void(const std::string&, Reader)>& visit) const {
  const auto* map = schema_->child(key);
  assert(map && map->kind == Schema::Kind::map);
  const auto* member = find_member(*node_, key);
  if (!member || member->value.kind != Node::Kind::map || member->value.members.empty())
    return session_->origins.push_back({join(key), "{}", member ? member->value.source : Source::default_value, member ? member->value.line : 0});
  for (const auto& element : member->value.members) visit(element.key, {*session_, element.value, map->element(), join(key) + "." + path_word(element.key)});
}

bool Reader::written(std::string_view key) const { return find_member(*node_, key) != nullptr; }

bool Reader::has(std::string_view key) const {
  const auto* member = find_member(*node_, key);
  return member && member->value.kind != Node::Kind::null;
}

void Reader::problem(std::string_view key, const std::string& text) const {
  const auto* member = find_member(*node_, key);
  session_->problems.push_back(problem_at(member ? member->value : *node_, join(key) + ": " + text));
}

}  // namespace nlb::config
