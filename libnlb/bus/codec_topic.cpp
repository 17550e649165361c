#include "libnlb/bus/codec_topic.hpp"

#include <algorithm>

#include "libnlb/bus/codec.hpp"

namespace nlb::bus {

const TopicClass* find_class(std::string_view name) {
  const auto found = std::find_if(topic_classes.begin(), topic_classes.end(), [&](const TopicClass& c) { return c.name == name; });
  return found == topic_classes.end() ? nullptr : found;
}

bool is_guarded(std::string_view topic_class) {
  const auto* known = find_class(topic_class);
  return known == nullptr || known->guarded;
}

Conflict conflict_of(std::string_view topic_class) {
  const auto* known = find_class(topic_class);
  return known == nullptr ? Conflict::first_named : known->conflict;
}

const Role* find_role(std::string_view name) {
  const auto found = std::find_if(roles.begin(), roles.end(), [&](const Role& r) { return r.name == name; });
  return found == roles.end() ? nullptr : found;
}

std::vector<std::string> classes_of(const Role& role) {
  std::vector<std::string> classes;
  for (const auto name : role.classes)
    if (!name.empty()) classes.emplace_back(name);
  return classes;
}

std::string_view class_of(std::string_view topic) { return topic.substr(0, topic.find('/')); }

bool is_topic(std::string_view topic) {
  if (topic.empty() || topic.size() > topic_bytes_max || topic.front() == '/' || topic.back() == '/') return false;
  if (topic.find("//") != std::string_view::npos) return false;
  return std::all_of(topic.begin(), topic.end(), [](char c) { return c > ' ' && c < '\x7f'; });
}

std::string make_topic(std::string_view topic_class, std::initializer_list<std::string_view> parts) {
  std::string topic(topic_class);
  for (const auto part : parts) topic.append("/").append(part);
  return topic;
}

std::string_view topic_part(std::string_view topic, std::size_t index) {
  for (; index > 0; --index) {
    const auto slash = topic.find('/');
    if (slash == std::string_view::npos) return {};
    topic.remove_prefix(slash + 1);
  }
  return class_of(topic);
}

}  // namespace nlb::bus
