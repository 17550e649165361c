#include "libnlb/rollout/distinct.hpp"

#include <algorithm>

namespace nlb::rollout {
namespace {

constexpr std::size_t slots_min = 64;
constexpr std::int64_t sweep_every = 15;   // seconds between looks for expired clients

std::size_t power_of_two_at_least(std::size_t n) {
  std::size_t p = slots_min;
  while (p < n) p *= 2;
  return p;
}

}  // namespace

FailingClients::FailingClients(std::size_t clients_max)
    : clients_max_(std::max(clients_max, slots_min / 2)), slots_(slots_min) {}

// The sample is cut by the high bits, the table is indexed by the low ones.
bool FailingClients::in_sample(std::uint64_t key) const { return thinned_bits_ == 0 || key >> (64 - thinned_bits_) == 0; }

FailingClients::Slot& FailingClients::find(std::uint64_t key) {
  const auto mask = slots_.size() - 1;
  auto at = static_cast<std::size_t>(key) & mask;
  while (slots_[at].last != empty && slots_[at].key != key) at = (at + 1) & mask;
  return slots_[at];
}

void FailingClients::rebuild(std::int64_t second) {
  std::vector<Slot> kept;
  for (const auto& slot : slots_)
    if (slot.last != empty && slot.last > second - distinct_seconds && in_sample(slot.key)) kept.push_back(slot);
  slots_.assign(power_of_two_at_least(2 * std::max(kept.size(), std::size_t{1}) + 2), Slot{});
  used_ = kept.size();
  for (const auto& slot : kept) find(slot.key) = slot;
  swept_ = second;
}

void FailingClients::make_room(std::int64_t second) {
  if (2 * (used_ + 1) <= slots_.size() && used_ < clients_max_) return;
  rebuild(second);
  while (used_ >= clients_max_) {
    ++thinned_bits_;
    rebuild(second);
  }
}

bool FailingClients::first_failure(std::uint64_t client_key, std::int64_t second) {
  ++raw_total_;
  if (swept_ == empty) swept_ = second;
  if (second >= swept_ + sweep_every) {
    rebuild(second);
    if (thinned_bits_ > 0 && used_ < clients_max_ / 8) --thinned_bits_;
  }
  if (!in_sample(client_key)) return false;
  make_room(second);
  if (!in_sample(client_key)) return false;
  auto& slot = find(client_key);
  const bool known = slot.last != empty, repeated = known && second < slot.last + distinct_seconds;
  if (!known) ++used_;
  slot = {client_key, known ? std::max(slot.last, second) : second};
  if (!repeated) ++distinct_total_;
  return !repeated;
}

void ConnectRun::failed(std::uint64_t client_key) {
  ++failures_;
  if (clients_ == clients_max || std::find(seen_, seen_ + clients_, client_key) != seen_ + clients_) return;
  seen_[clients_++] = client_key;
}

}  // namespace nlb::rollout
