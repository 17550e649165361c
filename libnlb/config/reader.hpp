// A cursor on one map of the document. The section readers pull typed values through it; it looks each key up in the keys table, keeps
// the default where the document is silent, records a problem with its position where a value is wrong, and goes on. It also records
// where every value came from (--print-config). Wrong shapes and unknown keys are schema.hpp's business: here they count as absent.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "libnlb/config/schema.hpp"
#include "libnlb/config/values.hpp"

namespace nlb::config {

struct Session {   // what one load() gathers
  std::vector<Problem> problems;
  std::vector<Origin> origins;
};

class Reader {   // borrows all it is given; a value type, not thread safe
 public:
  Reader(Session& session, const Node& node, const Schema& schema, std::string path = {});

  // Precondition of all: `key` is in the table below this section, and its type fits T; a test reads every key.
  template <class T> void read(std::string_view key, T& out);                  // absent or null: `out` stays
  template <class T> void read(std::string_view key, std::optional<T>& out);   // absent or null: none
  template <class T> void read(std::string_view key, std::vector<T>& out);     // a list, or a single value
  void read(std::string_view key, std::map<std::string, std::string>& out);
  void read_or_off(std::string_view key, double& out);   // null sets 0, "not used"; a written 0 is a problem

  Reader at(std::string_view key) const;   // the map below `key`; empty when absent
  void each(std::string_view key, const std::function<void(Reader)>& visit) const;   // the maps of a list
  void each_named(std::string_view key, const std::function<void(const std::string&, Reader)>& visit) const;

  bool written(std::string_view key) const;   // even as null
  bool has(std::string_view key) const;       // written, and not null
  void problem(std::string_view key, const std::string& text) const;   // at the key's value, or at this map when it is absent

 private:
  struct Slot {
    const Key* key;
    const Node* node;   // never null; of kind null when absent
    std::string path;
  };
  Slot slot(std::string_view key) const;
  void refuse(const Slot& slot, const Node& node, const std::string& text) const;
  void record(const Slot& slot, std::string value) const;
  std::string join(std::string_view key) const;
  template <class T> std::optional<T> convert(const Slot& slot, const Node& node) const;
  template <class T> static std::string print(const T& value, const Key& key);

  Session* session_;
  const Node* node_;
  const Schema* schema_;
  std::string path_;
};

template <class T>
std::optional<T> Reader::convert(const Slot& slot, const Node& node) const {
  const auto value = [&]() -> Result<T> {
    if constexpr (std::is_enum_v<T>) return parse_choice(node.text, *slot.key).map([](std::size_t i) { return static_cast<T>(i); });
    else return parse_value<T>(node.text, *slot.key);
  }();
  if (value) return *value;
  refuse(slot, node, value.error().text);
  return std::nullopt;
}

template <class T>
std::string Reader::print(const T& value, const Key& key) {
  if constexpr (std::is_enum_v<T>) return std::string(key.choices[static_cast<std::size_t>(value)]);
  else return print_value(value, key);
}

template <class T>
void Reader::read(std::string_view key, T& out) {
  const auto here = slot(key);
  if (here.node->kind == Node::Kind::scalar)
    if (auto value = convert<T>(here, *here.node)) out = std::move(*value);
  if constexpr (std::is_enum_v<T>) {   // a required choice that is absent has no name yet
    const auto known = static_cast<std::size_t>(out) < here.key->choices.size();
    record(here, known ? print(out, *here.key) : "null");
  } else {
    const auto text = print(out, *here.key);
    if constexpr (std::is_same_v<T, std::string>) record(here, text.empty() ? "null" : quote_yaml(text));
    else if constexpr (std::is_same_v<T, Endpoint>) record(here, quote_yaml(text));
    else record(here, text);
  }
}

template <class T>
void Reader::read(std::string_view key, std::optional<T>& out) {
  const auto here = slot(key);
  if (here.node->kind == Node::Kind::scalar)
    if (auto value = convert<T>(here, *here.node)) out = std::move(*value);
  record(here, out ? quote_yaml(print(*out, *here.key)) : "null");
}

template <class T>
void Reader::read(std::string_view key, std::vector<T>& out) {
  const auto here = slot(key);
  const auto kind = here.node->kind;
  if (kind == Node::Kind::scalar || kind == Node::Kind::list) out.clear();
  if (kind == Node::Kind::scalar)
    if (auto value = convert<T>(here, *here.node)) out.push_back(std::move(*value));
  if (kind == Node::Kind::list)
    for (const auto& member : here.node->members)
      if (member.value.kind == Node::Kind::scalar)
        if (auto value = convert<T>(here, member.value)) out.push_back(std::move(*value));
  std::string text;
  for (const auto& value : out) text += (text.empty() ? "" : ", ") + quote_yaml(print(value, *here.key));
  record(here, "[" + text + "]");
}

}  // namespace nlb::config
