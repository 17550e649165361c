#include "libnlb/bus/fence_state.hpp"

#include "libnlb/bus/codec_topic.hpp"

namespace nlb::bus {

bool FenceState::admit(std::string_view topic_class, std::uint64_t epoch, std::uint64_t owner) {
  const auto* known = find_class(topic_class);
  if (known && !known->fenced) return true;
  auto found = holders_.find(topic_class);
  if (found == holders_.end()) {
    if (holders_.size() >= topic_classes.size() + 32) return false;
    found = holders_.emplace(topic_class, Holder{}).first;
  }
  auto& holder = found->second;
  if (epoch > holder.epoch) holder = {epoch, owner};
  const bool right = epoch == holder.epoch && owner == holder.owner;
  refused_ += !right;
  return right;
}

std::uint64_t FenceState::epoch(std::string_view topic_class) const {
  const auto found = holders_.find(topic_class);
  return found == holders_.end() ? 0 : found->second.epoch;
}

}  // namespace nlb::bus
