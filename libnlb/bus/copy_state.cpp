#include "libnlb/bus/copy_state.hpp"

#include <algorithm>
#include <set>

#include "libnlb/bus/codec_topic.hpp"

namespace nlb::bus {

bool Doubt::over(std::size_t named, Hearing hearing, MonoTime now, Duration settle) {
  if (named * 2 < known || hearing == Hearing::silent) believable_since.reset();
  else if (hearing == Hearing::live && !believable_since) believable_since = now;
  return hearing == Hearing::live && believable_since && now - *believable_since >= settle;
}

void CopyState::preload(Copy copy) {
  epoch_ = copy.epoch;
  owner_ = copy.owner;
  floor_ = copy.seq;
  last_ = std::move(copy.last);
  facts_ = std::move(copy.facts);
  quarantined_ = 0;
  quarantines_.clear();
  for (const auto& [topic, fact] : facts_) {
    ++quarantines_[std::string(class_of(topic))].known;      // all that was known, so that half of it is the same half as before
    quarantined_ += fact.quarantined;
  }
  if (quarantined_ == 0) quarantines_.clear();
}

std::uint64_t CopyState::newest() const {
  auto newest = floor_;
  for (const auto& [topic_class, seq] : last_) newest = std::max(newest, seq);
  return newest;
}

std::uint64_t CopyState::last_of(std::string_view topic_class) const {
  const auto found = last_.find(topic_class);
  return found == last_.end() ? floor_ : std::max(found->second, floor_);
}

void CopyState::complete_to(std::uint64_t seq) { floor_ = std::max(floor_, seq); }

void CopyState::put(const Update& update, std::vector<Change>& changes) {
  auto& last = last_[std::string(class_of(update.topic))];
  last = std::max(last, update.seq);
  apply(update, Say::everything, changes);
}

void CopyState::catch_up(const std::vector<SyncChunk>& chunks, std::vector<Change>& changes) {
  std::map<std::string_view, std::uint64_t> last_words;
  for (const auto& chunk : chunks)
    for (const auto& update : chunk.entries) last_words[update.topic] = update.seq;
  for (const auto& chunk : chunks)
    for (const auto& update : chunk.entries) {
      const auto topic_class = class_of(update.topic);
      const bool history = is_guarded(topic_class) && update.seq != last_words[update.topic];
      if (!history && update.seq > last_of(topic_class)) put(update, changes);
    }
  floor_ = chunks.front().seq;
  last_.clear();
}

void CopyState::swap_in(const std::vector<SyncChunk>& chunks, MonoTime now, std::vector<Change>& changes) {
  const bool new_epoch = chunks.front().epoch != epoch_;
  if (new_epoch) {
    counters_.epochs += epoch_ != 0;
    epoch_ = chunks.front().epoch;
    owner_ = chunks.front().owner;
  }
  drop_unnamed(chunks, new_epoch, changes);
  for (const auto& chunk : chunks)
    for (const auto& entry : chunk.entries) apply(entry, Say::differences, changes);
  settle(now, new_epoch ? Hearing::silent : Hearing::catching_up, changes);   // a new life has to be believed anew
  floor_ = chunks.front().seq;
  last_.clear();
}

void CopyState::drop_unnamed(const std::vector<SyncChunk>& chunks, bool new_epoch, std::vector<Change>& changes) {
  std::map<std::string, std::pair<std::size_t, std::size_t>, std::less<>> sizes;      // class: known before, named now
  for (const auto& [topic, fact] : facts_) ++sizes[std::string(class_of(topic))].first;
  std::set<std::string_view> named;
  for (const auto& chunk : chunks)
    for (const auto& entry : chunk.entries) {
      named.insert(entry.topic);
      ++sizes[std::string(class_of(entry.topic))].second;
    }
  for (auto at = facts_.begin(); at != facts_.end();) {
    const auto here = at++;
    if (named.contains(here->first)) continue;
    auto& fact = here->second;
    const auto topic_class = class_of(here->first);
    const auto& [before, after] = sizes.find(topic_class)->second;
    const bool shrunk = new_epoch && after * 2 < before && is_guarded(topic_class);
    if (!shrunk && !(fact.quarantined && !new_epoch)) {
      remove(here, changes);
      continue;
    }
    auto& quarantine = quarantines_[std::string(topic_class)];
    quarantine.known = std::max(quarantine.known, before);
    if (fact.quarantined) continue;
    fact.quarantined = true;
    ++quarantined_;
    ++counters_.quarantines;
    changes.push_back({Change::Kind::quarantined, here->first, fact.payload, epoch_, owner_, fact.made_at, fact.seq});
  }
}

void CopyState::apply(const Update& update, Say how, std::vector<Change>& changes) {
  const auto found = facts_.find(update.topic);
  if (update.gone()) {
    if (found == facts_.end()) return;
    found->second.seq = update.seq;
    remove(found, changes);
    return;
  }
  if (found == facts_.end() && facts_.size() >= facts_max_) {
    ++counters_.over_limit;
    return;
  }
  auto& fact = found != facts_.end() ? found->second : facts_[update.topic];
  const bool same = !fact.quarantined && fact.payload && *fact.payload == *update.payload;
  quarantined_ -= fact.quarantined;
  fact = {update.payload, update.seq, update.made_at, false};
  ++counters_.applied;
  if (same && how == Say::differences) return;
  changes.push_back({Change::Kind::put, update.topic, update.payload, epoch_, owner_, update.made_at, update.seq});
}

void CopyState::remove(Facts::iterator at, std::vector<Change>& changes) {
  quarantined_ -= at->second.quarantined;
  ++counters_.applied;
  changes.push_back({Change::Kind::gone, at->first, nullptr, epoch_, owner_, at->second.made_at, at->second.seq});
  facts_.erase(at);
}

void CopyState::release(std::string_view topic, std::vector<Change>& changes) {
  const auto found = facts_.find(topic);
  if (found != facts_.end() && found->second.quarantined) remove(found, changes);
}

void CopyState::settle(MonoTime now, Hearing hearing, std::vector<Change>& changes) {
  if (quarantined_ == 0) {
    if (!quarantines_.empty()) quarantines_.clear();
    return;
  }
  for (auto one = quarantines_.begin(); one != quarantines_.end();) {
    auto& [topic_class, doubt] = *one;
    std::vector<std::string> left;
    std::size_t named = 0;
    for (auto at = facts_.lower_bound(topic_class); at != facts_.end() && at->first.starts_with(topic_class); ++at) {
      if (class_of(at->first) != topic_class) continue;
      at->second.quarantined ? left.push_back(at->first) : void(++named);
    }
    const bool over = doubt.over(named, hearing, now, quarantine_settle_);
    if (over)
      for (const auto& topic : left) remove(facts_.find(topic), changes);
    one = over || left.empty() ? quarantines_.erase(one) : std::next(one);   // what was known then is no measure for the next time
  }
}

}  // namespace nlb::bus
