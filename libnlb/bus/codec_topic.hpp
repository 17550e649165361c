// Topics: "class/part/part". The class says what the payload is, who may write it, and whether two writers could contradict each other.
#pragma once

#include <array>
#include <initializer_list>
#include <string>
#include <string_view>

namespace nlb::bus {

// `fenced`: one owner for the whole class, elected where there are several copies of it; of two, the greater epoch is right.
// Otherwise each owner has its own copy of a key (every forwarder its own traffic).
struct TopicClass {
  std::string_view name;
  std::string_view payload;   // message of proto/nlb/v1
  std::string_view owner;
  bool fenced;
};
inline constexpr std::array<TopicClass, 15> topic_classes = {{
    {"modules", "Module", "registry", true},
    {"health", "HealthDetail", "registry", true},
    {"loads", "ModuleLoad", "registry", true},
    {"directory", "Directory", "registry", true},
    {"splits", "Split", "deploy", true},
    {"rollouts", "Rollout", "deploy", true},
    {"holds", "Hold", "deploy", true},
    {"replicas", "Replicas", "scale", true},
    {"drains", "Drains", "scale", true},
    {"forecasts", "Forecast", "scale", true},
    {"traffic", "Traffic", "forward", false},
    {"applied", "Applied", "forward", false},
    {"breakers", "Breaker", "forward", false},
    {"events", "Event", "every daemon", false},
    {"beat", "Beat", "every owner", false},
}};

inline constexpr std::string_view beat_topic = "beat";
inline constexpr std::string_view welcome_topic = "welcome";   // the XPUB welcome: one frame, no header
inline constexpr std::string_view sync_topic = "sync";         // SyncRequest
inline constexpr std::string_view chunk_topic = "chunk";       // SyncChunk

const TopicClass* find_class(std::string_view name);     // null: not known to this version
std::string_view class_of(std::string_view topic);       // up to the first '/'

// Printable ASCII without spaces, no empty part, at most topic_bytes_max.
bool is_topic(std::string_view topic);
std::string make_topic(std::string_view topic_class, std::initializer_list<std::string_view> parts);
std::string_view topic_part(std::string_view topic, std::size_t index);   // 0 is the class; empty when there is none

}  // namespace nlb::bus
