// Topics: "class/part/part". The class says what the payload is, who writes it, who reads it, and what counts where two owners contradict
// each other.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace nlb::bus {

// What counts when several owners name one key (merge_state.hpp): the owner with the greater epoch, its fencing token, where one is
// elected; the one that is named first in bus.subscribe, where each has keys of its own; or everybody's word.
enum class Conflict : std::uint8_t { greater_epoch, first_named, each };

// `guarded`: its facts are missed when their owner comes back without them. A forwarder that restarts has no traffic yet, and nothing
// is wrong with that.
struct TopicClass {
  std::string_view name;
  std::string_view payload;   // message of proto/nlb/v1
  std::string_view owner;     // the role that writes it
  bool guarded;
  Conflict conflict;
};
inline constexpr std::array<TopicClass, 15> topic_classes = {{
    {"modules", "Module", "registry", true, Conflict::first_named},
    {"health", "HealthDetail", "registry", true, Conflict::first_named},
    {"loads", "ModuleLoad", "registry", true, Conflict::first_named},
    {"directory", "Directory", "registry", true, Conflict::each},
    {"splits", "Split", "deploy", true, Conflict::greater_epoch},
    {"rollouts", "Rollout", "deploy", true, Conflict::greater_epoch},
    {"holds", "Hold", "deploy", true, Conflict::greater_epoch},
    {"replicas", "Replicas", "scale", true, Conflict::greater_epoch},
    {"drains", "Drains", "scale", true, Conflict::greater_epoch},
    {"forecasts", "Forecast", "scale", true, Conflict::greater_epoch},
    {"traffic", "Traffic", "forward", false, Conflict::first_named},
    {"applied", "Applied", "forward", false, Conflict::first_named},
    {"breakers", "Breaker", "forward", false, Conflict::each},
    {"events", "Event", "", false, Conflict::each},         // every daemon
    {"beat", "Beat", "", false, Conflict::each},            // every owner
}};

// What each daemon reads, by default and by the role of its key; `all` reads everything, and owns nothing.
struct Role {
  std::string_view name;
  std::array<std::string_view, 8> classes;   // sorted; empty ones are none
};
inline constexpr std::array<Role, 5> roles = {{
    {"forward", {"directory", "drains", "modules", "splits"}},
    {"registry", {"directory", "drains", "traffic"}},
    {"deploy", {"applied", "directory", "modules", "replicas", "traffic"}},
    {"scale", {"directory", "holds", "loads", "modules", "rollouts", "splits", "traffic"}},
    {"all", {}},
}};

inline constexpr std::string_view beat_topic = "beat";
inline constexpr std::string_view directory_topic = "directory";
inline constexpr std::string_view welcome_topic = "welcome";   // the XPUB welcome: one frame, no header
inline constexpr std::string_view sync_topic = "sync";         // SyncRequest
inline constexpr std::string_view follow_topic = "follow";     // Follow: what a subscription is over CURVE
inline constexpr std::string_view hello_topic = "hello";       // Directory.Owner: a subscriber that owns something says where it binds
inline constexpr std::string_view chunk_topic = "chunk";       // SyncChunk

const TopicClass* find_class(std::string_view name);     // null: not known to this version
bool is_guarded(std::string_view topic_class);           // a class that this version doesn't know is
Conflict conflict_of(std::string_view topic_class);
const Role* find_role(std::string_view name);            // null: none
std::vector<std::string> classes_of(const Role& role);   // sorted; empty: all
std::string_view class_of(std::string_view topic);       // up to the first '/'

// Printable ASCII without spaces, no empty part, at most topic_bytes_max.
bool is_topic(std::string_view topic);
std::string make_topic(std::string_view topic_class, std::initializer_list<std::string_view> parts);
std::string_view topic_part(std::string_view topic, std::size_t index);   // 0 is the class; empty when there is none

}  // namespace nlb::bus
