#include "libnlb/config/document.hpp"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <istream>
#include <map>
#include <optional>
#include <streambuf>
#include <unordered_set>
#include <utility>

namespace nlb::config {
namespace {

struct Stop {   // a limit was met; leaves the parser, never this file
  YAML::Mark mark;
  std::string text;
};

std::size_t count_nodes(const Node& node) {
  std::size_t count = 1;
  for (const auto& member : node.members) count += count_nodes(member.value);
  return count;
}

std::size_t depth_of(const Node& node) {
  std::size_t deepest = 0;
  for (const auto& member : node.members) deepest = std::max(deepest, depth_of(member.value));
  return deepest + 1;
}

// Events to tree. `open_` holds the unfinished lists and maps, innermost last.
class TreeBuilder final : public YAML::EventHandler {
 public:
  explicit TreeBuilder(Document& document) : document_(document) {}

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override { finish(make(mark, Node::Kind::null), anchor, mark); }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto known = anchors_.find(anchor);
    if (known == anchors_.end()) throw Stop{mark, "an alias inside its own anchor: it would never end: write the value out"};
    nodes_ += count_nodes(known->second);
    check_limits(mark, depth_of(known->second));
    finish(known->second, 0, mark);
  }
  void OnScalar(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor, const std::string& value) override {
    auto node = make(mark, Node::Kind::scalar);
    node.text = value;
    finish(std::move(node), anchor, mark);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor, YAML::EmitterStyle::value) override {
    open(mark, Node::Kind::list, anchor);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor, YAML::EmitterStyle::value) override {
    open(mark, Node::Kind::map, anchor);
  }
  void OnMapEnd() override { close(); }

 private:
  struct Open {
    Node node;
    YAML::anchor_t anchor;
    bool expects_key;
    Member next;                            // its key is read, its value is not
    std::unordered_set<std::string> keys;
  };

  Node make(const YAML::Mark& mark, Node::Kind kind) {
    ++nodes_;
    check_limits(mark, 0);
    Node node;
    node.kind = kind;
    node.line = mark.line + 1;
    node.column = mark.column + 1;
    return node;
  }
  void check_limits(const YAML::Mark& mark, std::size_t levels) const {
    if (open_.size() + levels > document_depth_max)
      throw Stop{mark, "nested too deep: the limit is " + std::to_string(document_depth_max) + " levels: flatten it"};
    if (nodes_ > document_nodes_max)
      throw Stop{mark, "too much in one file: the limit is " + std::to_string(document_nodes_max) +
                           " values with all aliases expanded: use fewer aliases or values"};
  }
  void open(const YAML::Mark& mark, Node::Kind kind, YAML::anchor_t anchor) {
    if (awaits_key()) throw Stop{mark, "a list or map as a key: keys are plain words: write 'key: value'"};
    open_.push_back({make(mark, kind), anchor, kind == Node::Kind::map, {}, {}});
  }
  void close() {
    auto done = std::move(open_.back());
    open_.pop_back();
    const YAML::Mark mark;
    finish(std::move(done.node), done.anchor, mark);
  }
  bool awaits_key() const { return !open_.empty() && open_.back().expects_key; }

  void finish(Node node, YAML::anchor_t anchor, const YAML::Mark& mark) {
    if (anchor != 0) anchors_.insert_or_assign(anchor, node);
    if (open_.empty()) {
      document_.root = std::move(node);
    } else if (awaits_key()) {
      take_key(node, mark);
    } else {
      auto& parent = open_.back();
      parent.next.value = std::move(node);
      parent.node.members.push_back(std::exchange(parent.next, {}));
      parent.expects_key = parent.node.kind == Node::Kind::map;
    }
  }
  void take_key(const Node& node, const YAML::Mark& mark) {
    if (node.kind == Node::Kind::list || node.kind == Node::Kind::map)
      throw Stop{mark, "a list or map as a key: keys are plain words: write 'key: value'"};
    auto& parent = open_.back();
    parent.next = {node.text, mark.line + 1, mark.column + 1, {}};
    parent.expects_key = false;
    if (!parent.keys.insert(node.text).second)
      document_.problems.push_back({mark.line + 1, mark.column + 1,
                                    "'" + node.text + "' is there twice in the same map: only one can hold: remove one"});
  }

  Document& document_;
  std::vector<Open> open_;
  std::map<YAML::anchor_t, Node> anchors_;
  std::size_t nodes_ = 0;
};

struct ViewBuffer final : std::streambuf {   // reads the caller's text in place
  explicit ViewBuffer(std::string_view text) {
    auto* begin = const_cast<char*>(text.data());   // a get area is never written
    setg(begin, begin, begin + text.size());
  }
};

void find_tabs(std::string_view yaml, std::vector<Problem>& problems) {
  int line = 1;
  for (std::size_t at = 0; at < yaml.size(); ++line) {
    const auto end = std::min(yaml.find('\n', at), yaml.size());
    const auto first = yaml.find_first_not_of(" \t\r", at);
    const auto tab = yaml.substr(at, std::min(first, end) - at).find('\t');
    if (tab != std::string_view::npos && first < end && yaml[first] != '#')
      problems.push_back({line, static_cast<int>(tab) + 1, "a tab in the indentation: YAML indents with spaces only: replace it by spaces"});
    at = end + 1;
  }
}

std::optional<std::string> refusal(std::string_view yaml) {
  if (yaml.size() > document_bytes_max)
    return "the file has " + std::to_string(yaml.size()) + " bytes: the limit is " + std::to_string(document_bytes_max) + ": split it or remove what isn't configuration";
  if (yaml.find('\0') != std::string_view::npos) return "the file has zero bytes in it: it is no text: save it as UTF-8";
  return std::nullopt;
}

void parse(std::string_view yaml, Document& document) {
  ViewBuffer buffer(yaml);
  std::istream stream(&buffer);
  try {
    YAML::Parser parser(stream);
    TreeBuilder builder(document);
    if (!parser.HandleNextDocument(builder)) return;
    Document rest;
    TreeBuilder another(rest);
    if (parser.HandleNextDocument(another))
      document.problems.push_back({rest.root.line, rest.root.column, "a second YAML document: only one is read: remove the '---' line"});
  } catch (const Stop& stop) {
    document.problems.push_back({stop.mark.line + 1, stop.mark.column + 1, stop.text});
  } catch (const YAML::Exception& e) {
    document.problems.push_back({e.mark.line + 1, e.mark.column + 1, "the YAML can't be read: " + e.msg + ": mend this place or the line before it"});
  }
}

}  // namespace

const Member* find_member(const Node& map, std::string_view key) {
  if (map.kind != Node::Kind::map) return nullptr;
  for (const auto& member : map.members)
    if (member.key == key) return &member;
  return nullptr;
}

Document parse_document(std::string_view yaml) {
  Document document;
  if (const auto text = refusal(yaml)) {
    document.problems.push_back({0, 0, *text});
    return document;
  }
  find_tabs(yaml, document.problems);
  parse(yaml, document);
  return document;
}

}  // namespace nlb::config
