#include "libnlb/limit/client_table.hpp"

#include <algorithm>
#include <bit>

namespace nlb::limit {
namespace {

std::int64_t spent_until(const ClientEntry& entry) {
  std::int64_t until = 0;
  for (const auto& slot : entry.slots)
    until = std::max({until, slot.sessions.load(std::memory_order_relaxed), slot.bytes.load(std::memory_order_relaxed)});
  return until;
}

void reset(ClientEntry& entry, const IpAddress& client) {
  entry.address = client;
  for (auto& slot : entry.slots) {
    slot.sessions.store(0, std::memory_order_relaxed);
    slot.bytes.store(0, std::memory_order_relaxed);
    slot.open = 0;
  }
}

}  // namespace

IpAddress counted_as(IpAddress client) {
  if (!client.is_v4()) std::fill(client.octets.begin() + 8, client.octets.end(), std::uint8_t{0});
  return client;
}

ClientTable::ClientTable(std::uint32_t clients_max, const SipKey& key)
    : key_(key), shard_bits_(clients_max < one_shard_below ? 0 : 4), shard_mask_((1u << shard_bits_) - 1), shards_(shard_mask_ + 1) {
  grow(clients_max);
}

void ClientTable::grow(std::uint32_t clients_max) {
  const auto each = (std::max(clients_max, 1u) + shard_mask_) >> shard_bits_;
  for (Shard& shard : shards_) {
    const Guard guard(shard.flag);
    if (each > shard.most) resize(shard, each);
  }
}

void ClientTable::resize(Shard& shard, std::uint32_t most) {
  shard.most = most;
  shard.heads.assign(std::bit_ceil(std::size_t{most}), 0);
  shard.chunks.reserve((most >> chunk_bits) + 1);
  for (std::uint32_t at = 0; at < shard.used; ++at) {
    auto& first = head(shard, siphash(key_, shard.entry(at).address.bytes()));
    shard.entry(at).next = std::exchange(first, at + 1);
  }
}

std::uint32_t ClientTable::find_or_make(Shard& shard, std::uint64_t hash, const IpAddress& client, MonoTime now) {
  for (auto at = head(shard, hash); at != 0; at = shard.entry(at - 1).next)
    if (shard.entry(at - 1).address == client) return at - 1;
  const auto at = take_entry(shard, now);
  if (at == none) {
    ++shard.untracked;
    return none;
  }
  reset(shard.entry(at), client);
  shard.entry(at).next = std::exchange(head(shard, hash), at + 1);
  return at;
}

std::uint32_t ClientTable::take_entry(Shard& shard, MonoTime now) {
  if (shard.used == shard.most) return victim(shard, now);
  if (shard.used >> chunk_bits == shard.chunks.size()) shard.chunks.push_back(std::make_unique<ClientEntry[]>(1u << chunk_bits));
  return shard.used++;
}

std::uint32_t ClientTable::victim(Shard& shard, MonoTime now) {
  const auto full_now = now.time_since_epoch().count() * Rate::ticks_per_ns;
  std::uint32_t best = none;
  std::int64_t best_until = 0;
  for (std::uint32_t probe = 0; probe < std::min(probes_max, shard.used); ++probe) {
    shard.hand = shard.hand + 1 < shard.used ? shard.hand + 1 : 0;
    if (shard.entry(shard.hand).references != 0) continue;
    const auto until = spent_until(shard.entry(shard.hand));
    if (best == none || until < best_until) best = shard.hand, best_until = until;
    if (until <= full_now) break;
  }
  if (best == none) return none;
  ++(best_until <= full_now ? shard.evicted_idle : shard.evicted_spent);
  unlink(shard, best);
  return best;
}

void ClientTable::unlink(Shard& shard, std::uint32_t at) {
  auto* link = &head(shard, siphash(key_, shard.entry(at).address.bytes()));
  while (*link != at + 1) link = &shard.entry(*link - 1).next;
  *link = shard.entry(at).next;
}

ClientTableStats ClientTable::stats() const {
  ClientTableStats total;
  for (const Shard& shard : shards_) {
    const Guard guard(shard.flag);
    total.clients += shard.used;
    total.capacity += shard.most;
    total.evicted_idle += shard.evicted_idle;
    total.evicted_spent += shard.evicted_spent;
    total.untracked += shard.untracked;
  }
  return total;
}

}  // namespace nlb::limit
