// What really happened: every update that any owner ever numbered, by epoch and topic. Copies are judged against it.
#pragma once

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "libnlb/bus/codec_topic.hpp"
#include "libnlb/bus/subscriber_state.hpp"

namespace nlb::sim {

struct Version { std::uint64_t seq = 0; bus::Payload payload; };

struct EpochHistory {
  std::uint64_t owner = 0;
  std::map<std::string, std::vector<Version>, std::less<>> topics;
  // The key's state after update `seq`; null: it isn't there.
  bus::Payload at(std::string_view topic, std::uint64_t seq) const {
    const auto found = topics.find(topic);
    bus::Payload payload;
    if (found == topics.end()) return payload;
    for (const auto& version : found->second) {
      if (version.seq > seq) break;
      payload = version.payload;
    }
    return payload;
  }
};

class History {
 public:
  void record(std::uint64_t source_epoch_key, std::uint64_t owner, const bus::Update& update) {
    auto& epoch = epochs_[source_epoch_key];
    epoch.owner = owner;
    epoch.topics[update.topic].push_back({update.seq, update.payload});
  }
  // Did the owner say in this epoch that the key is gone?
  bool withdrawn(std::uint64_t epoch, std::string_view topic) const {
    const auto found = epochs_.find(epoch);
    if (found == epochs_.end()) return false;
    const auto versions = found->second.topics.find(topic);
    return versions != found->second.topics.end() &&
           std::any_of(versions->second.begin(), versions->second.end(), [](const Version& v) { return v.payload == nullptr; });
  }
  // Empty when the copy is exactly what the owner's facts were after the copy's last update (quarantined keys aside), else what is wrong.
  std::string judge(const bus::SubscriberState& copy) const {
    if (!copy.synced()) return copy.facts().empty() ? "" : "facts without an epoch";
    const auto found = epochs_.find(copy.epoch());
    static const EpochHistory nothing;
    const auto& truth = found == epochs_.end() ? nothing : found->second;
    if (found != epochs_.end() && truth.owner != copy.owner()) return "the epoch is another owner's";
    for (const auto& [topic, fact] : copy.facts()) {
      if (fact.quarantined) continue;
      const auto right = truth.at(topic, copy.last_of(bus::class_of(topic)));
      if (!right) return topic + " is in the copy and was not there";
      if (*right != *fact.payload) return topic + " is \"" + *fact.payload + "\" and was \"" + *right + "\"";
    }
    for (const auto& [topic, versions] : truth.topics) {
      const auto right = truth.at(topic, copy.last_of(bus::class_of(topic)));
      const auto mine = copy.facts().find(topic);
      if (right && (mine == copy.facts().end() || mine->second.quarantined)) return topic + " is missing";
    }
    return "";
  }

 private:
  std::map<std::uint64_t, EpochHistory> epochs_;
};

}  // namespace nlb::sim
