#include "libnlb/bus/merge_state.hpp"

#include <algorithm>

#include "libnlb/bus/codec_topic.hpp"

namespace nlb::bus {

MergeState::PeerNumber MergeState::add(const SubscriberState& peer, std::vector<Change>& told) {
  const auto free = std::find_if(peers_.begin(), peers_.end(), [](const Peer& p) { return p.state == nullptr; });
  const auto number = static_cast<PeerNumber>(free - peers_.begin());
  if (free == peers_.end()) peers_.emplace_back();
  peers_[number] = {&peer};
  if (peer.synced()) heard(number, {}, told);
  return number;
}

void MergeState::remove(PeerNumber peer, std::vector<Change>& told) {
  peers_[peer] = {};
  look_at_all(told);
}

void MergeState::heard(PeerNumber number, std::vector<Change> changes, std::vector<Change>& told) {
  auto& peer = peers_[number];
  const bool new_life = peer.state->epoch() != peer.epoch || peer.state->owner() != peer.owner;
  if (new_life) begin_life(number);
  for (auto& change : changes) pass_on(std::move(change), number, told);
  if (new_life) look_at_all(told);
}

void MergeState::begin_life(PeerNumber number) {
  auto& peer = peers_[number];
  if (peer.state->epoch() < peer.epoch)        // an operator's word: what was said since then doesn't count against it
    for (const auto& [topic, fact] : peer.state->facts()) fences_.erase(topic);
  peer.epoch = peer.state->epoch();
  peer.owner = peer.state->owner();
  for (auto& one : peers_)
    one.predecessor = std::any_of(peers_.begin(), peers_.end(), [&](const Peer& other) { return other.owner == one.owner && other.epoch > one.epoch; });
  if (peer.predecessor) return;
  std::map<std::string, std::size_t, std::less<>> known;      // what the predecessors told, by class
  for (const auto& [topic, shown] : shown_)
    if (peers_[shown.peer].predecessor && peers_[shown.peer].owner == peer.owner) ++known[std::string(class_of(topic))];
  for (const auto& [topic_class, count] : known) {
    const OwnerClass key(peer.owner, topic_class);
    if (is_guarded(topic_class) && named(number, topic_class) * 2 < count) kept_[key] = {count, std::nullopt};
    else kept_.erase(key);
  }
}

void MergeState::pass_on(Change change, PeerNumber peer, std::vector<Change>& told) {
  if (conflict_of(class_of(change.topic)) == Conflict::each) return told.push_back(std::move(change));
  const auto now_right = right(change.topic);
  if (now_right.peer != peer || now_right.standing == Standing::predecessor) {
    refused_ += change.kind == Change::Kind::put && (peers_[peer].predecessor || conflict_of(class_of(change.topic)) == Conflict::greater_epoch);
    if (now_right.peer || change.kind != Change::Kind::gone) return look(change.topic, told);
    conflicts_.erase(change.topic);
    if (shown_.erase(change.topic) > 0) told.push_back(std::move(change));
    return;
  }
  if (change.kind == Change::Kind::gone) return;      // and named again by the same step
  show(change.topic, now_right);
  told.push_back(std::move(change));
}

void MergeState::look(std::string_view topic, std::vector<Change>& told) {
  const auto now_right = right(topic);
  const auto before = shown_.find(topic);
  if (!now_right.peer) {
    conflicts_.erase(std::string(topic));
    if (before == shown_.end()) return;
    told.push_back({Change::Kind::gone, std::string(topic), nullptr, before->second.epoch, before->second.owner, before->second.made_at, before->second.seq});
    shown_.erase(before);
    return;
  }
  const bool quarantined = now_right.standing != Standing::named;
  const bool same = before != shown_.end() && before->second.peer == *now_right.peer && before->second.quarantined == quarantined;
  const auto& peer = peers_[*now_right.peer];
  const auto& fact = peer.state->facts().find(topic)->second;
  show(topic, now_right);
  if (!same) told.push_back({quarantined ? Change::Kind::quarantined : Change::Kind::put, std::string(topic), fact.payload, peer.epoch, peer.owner, fact.made_at, fact.seq});
}

void MergeState::show(std::string_view topic, const Right& now_right) {
  const auto& peer = peers_[*now_right.peer];
  const auto& fact = peer.state->facts().find(topic)->second;
  const std::string key(topic);
  shown_[key] = {*now_right.peer, now_right.standing != Standing::named, peer.epoch, peer.owner, fact.seq, fact.made_at};
  if (now_right.standing == Standing::named) released_.erase(key);
  if (conflict_of(class_of(topic)) == Conflict::greater_epoch) fences_[key] = peer.epoch;
  if (now_right.contested) conflicts_.insert(key);
  else conflicts_.erase(key);
}

void MergeState::look_at_all(std::vector<Change>& told) {
  std::set<std::string> topics;
  for (const auto& [topic, shown] : shown_) topics.insert(topic);
  for (const auto& peer : peers_)
    if (peer.state)
      for (const auto& [topic, fact] : peer.state->facts())
        if (conflict_of(class_of(topic)) != Conflict::each) topics.insert(topic);
  for (const auto& topic : topics) look(topic, told);
}

void MergeState::tick(MonoTime now, std::vector<Change>& told) {
  bool believed = false;
  for (auto at = kept_.begin(); at != kept_.end();) {
    auto& [key, kept] = *at;
    const auto successor = std::find_if(peers_.begin(), peers_.end(), [&, owner = key.first](const Peer& p) { return p.owner == owner && !p.predecessor; });
    const bool there = successor != peers_.end() && successor->state;
    const auto count = there ? named(static_cast<PeerNumber>(successor - peers_.begin()), key.second) : 0;
    const bool settled = kept.over(count, there ? successor->state->hearing() : Hearing::silent, now, settle_);
    believed |= settled;
    at = settled ? kept_.erase(at) : std::next(at);
  }
  if (believed) look_at_all(told);
}

void MergeState::release(std::string_view topic, std::vector<Change>& told) {
  const auto now_right = right(topic);
  if (now_right.standing != Standing::predecessor) return;
  released_.emplace(topic);
  look(topic, told);
}

std::optional<MergeState::PeerNumber> MergeState::speaker(std::string_view topic) const { return right(topic).peer; }

std::size_t MergeState::kept() const {
  if (kept_.empty()) return 0;
  return static_cast<std::size_t>(std::count_if(shown_.begin(), shown_.end(), [&](const auto& one) { return peers_[one.second.peer].predecessor; }));
}

std::size_t MergeState::named(PeerNumber peer, std::string_view topic_class) const {
  if (!peers_[peer].state) return 0;
  const auto& facts = peers_[peer].state->facts();
  return static_cast<std::size_t>(std::count_if(facts.begin(), facts.end(), [&](const auto& one) {
    return !one.second.quarantined && class_of(one.first) == topic_class;
  }));
}

MergeState::Standing MergeState::standing(const Peer& peer, std::string_view topic, const Fact& fact) const {
  if (!peer.predecessor) return fact.quarantined ? Standing::quarantined : Standing::named;
  const bool kept = kept_.contains(OwnerClass(peer.owner, class_of(topic))) && !released_.contains(topic);
  return kept ? Standing::predecessor : Standing::none;
}

MergeState::Right MergeState::right(std::string_view topic) const {
  const auto rule = conflict_of(class_of(topic));
  const auto fence = fences_.find(topic);
  Right best;
  std::uint64_t named_by = 0;                  // an owner; 0: nobody yet
  bool contested = false;
  for (PeerNumber number = 0; number < peers_.size(); ++number) {
    const auto& peer = peers_[number];
    if (!peer.state || (fence != fences_.end() && peer.epoch < fence->second)) continue;
    const auto fact = peer.state->facts().find(topic);
    if (fact == peer.state->facts().end()) continue;
    const auto here = standing(peer, topic, fact->second);
    if (here == Standing::none) continue;
    if (here == Standing::named) {
      contested |= named_by != 0 && named_by != peer.owner;
      named_by = peer.owner;
    }
    const bool better = here < best.standing || (here == best.standing && rule == Conflict::greater_epoch && peer.epoch > peers_[*best.peer].epoch);
    if (better) best = {number, here, false};
  }
  best.contested = contested;
  return best;
}

}  // namespace nlb::bus
