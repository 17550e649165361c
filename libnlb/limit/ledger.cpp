#include "libnlb/limit/ledger.hpp"

#include <algorithm>

#include "libnlb/core/rng.hpp"

namespace nlb::limit {

Ledger::Ledger(std::uint64_t seed) {
  for (std::size_t at = 0; at < key_.size(); at += 8) {
    const auto word = splitmix64(seed);
    for (std::size_t i = 0; i < 8; ++i) key_[at + i] = static_cast<std::uint8_t>(word >> (8 * i));
  }
}

std::shared_ptr<Meter> Ledger::meter(const std::string& key, const Rate& sessions, const Rate& bytes, MonoTime now) {
  auto& account = accounts_[key];
  if (!account.meter) account.meter = std::make_shared<Meter>();
  sessions.rescale(account.meter->sessions, account.sessions, now);
  bytes.rescale(account.meter->bytes, account.bytes, now);
  account.sessions = sessions;
  account.bytes = bytes;
  return account.meter;
}

std::uint32_t Ledger::hold(const Hold& meters) {
  if (meters.empty()) return 0;
  auto known = std::find_if(holds_.begin(), holds_.end(), [&](const auto& hold) { return *hold == meters; });
  if (known == holds_.end()) known = holds_.insert(holds_.end(), std::make_shared<const Hold>(meters));
  return static_cast<std::uint32_t>(known - holds_.begin()) + 1;
}

std::vector<std::uint32_t> Ledger::client_places(const std::vector<std::string>& names) {
  const auto wanted = [&](const Place& p) { return std::find(names.begin(), names.end(), p.name) != names.end(); };
  std::vector<std::uint32_t> places;
  for (const auto& name : names) {
    auto place = std::find_if(places_.begin(), places_.end(), [&](const Place& p) { return p.name == name; });
    if (place == places_.end()) {
      place = std::find_if_not(places_.begin(), places_.end(), wanted);   // there is one: no more names than places
      *place = Place{name, {}, {}};
      // Sessions of the rule that was here stay counted as the client's open ones: their tickets still name this place.
      const auto index = static_cast<std::size_t>(place - places_.begin());
      if (clients_) clients_->for_each([&](ClientEntry& entry) {
        entry.slots[index].sessions.store(0, std::memory_order_relaxed);
        entry.slots[index].bytes.store(0, std::memory_order_relaxed);
      });
    }
    places.push_back(static_cast<std::uint32_t>(place - places_.begin()));
  }
  return places;
}

void Ledger::set_client_rates(std::uint32_t at, const Rate& sessions, const Rate& bytes, MonoTime now) {
  Place& place = places_[at];
  if (clients_ && (place.sessions != sessions || place.bytes != bytes))
    clients_->for_each([&](ClientEntry& entry) {
      sessions.rescale(entry.slots[at].sessions, place.sessions, now);
      bytes.rescale(entry.slots[at].bytes, place.bytes, now);
    });
  place.sessions = sessions;
  place.bytes = bytes;
}

void Ledger::reserve_clients(std::uint32_t clients_max) {
  if (clients_) clients_->grow(clients_max);
  else clients_ = std::make_shared<ClientTable>(clients_max, key_);
}

}  // namespace nlb::limit
