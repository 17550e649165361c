// What all workers of a forwarder share about clients: which sources turned out to be silent, and which module issued which PostgreSQL
// cancellation key. Everything here is safe from every worker.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "libnlb/core/address.hpp"
#include "libnlb/core/hash.hpp"
#include "libnlb/inspect/backend_key.hpp"

namespace nlb::relay {

// Sources (/32, /64) whose silence meant a server that speaks first: next time a moment of it is enough. A direct-mapped cache of
// fingerprints; a collision costs one client a wrong guess, which detection corrects. Relaxed: an old answer is no harm.
class SilentSources {
 public:
  explicit SilentSources(const SipKey& key) : key_(key) {}
  void remember(const IpAddress& ip) { slot(ip).store(print(ip), std::memory_order_relaxed); }
  void forget(const IpAddress& ip) {
    auto expected = print(ip);
    slot(ip).compare_exchange_strong(expected, 0, std::memory_order_relaxed);
  }
  bool knows(const IpAddress& ip) const { return slots_[hash(ip) % slots].load(std::memory_order_relaxed) == print(ip); }

 private:
  static constexpr std::size_t slots = 8192;
  std::uint64_t hash(const IpAddress& ip) const { return siphash(key_, ip.bytes().first(ip.is_v4() ? 16 : 8)); }
  std::uint32_t print(const IpAddress& ip) const { return static_cast<std::uint32_t>(hash(ip) >> 32) | 1; }
  std::atomic<std::uint32_t>& slot(const IpAddress& ip) { return slots_[hash(ip) % slots]; }
  SipKey key_;
  std::array<std::atomic<std::uint32_t>, slots> slots_{};
};

// From the key that a PostgreSQL server gave a session to the module that gave it. One lock: keys come once a session, cancels seldom.
// Bounded: beyond keys_max new ones are not learned, and a CancelRequest goes to the picked module, as it would without this table.
class CancelKeys {
 public:
  static constexpr std::size_t keys_max = 1 << 20;
  struct Where { std::string service, module; };

  void learn(inspect::BackendKey key, const void* session, Where where) {
    const std::lock_guard lock(mutex_);
    if (by_key_.size() >= keys_max) return;
    by_key_[key] = std::move(where);
    by_session_[session] = key;
  }
  void forget(const void* session) {
    const std::lock_guard lock(mutex_);
    const auto it = by_session_.find(session);
    if (it == by_session_.end()) return;
    by_key_.erase(it->second);
    by_session_.erase(it);
  }
  std::optional<Where> find(inspect::BackendKey key) const {
    const std::lock_guard lock(mutex_);
    if (const auto it = by_key_.find(key); it != by_key_.end()) return it->second;
    const auto it = inherited_.find(key);
    return it == inherited_.end() ? std::nullopt : std::optional(it->second);
  }

  // Keys of sessions that live on in the processes that this one took over from: they come and go as a whole.
  using All = std::unordered_map<inspect::BackendKey, Where>;
  All all() const {
    const std::lock_guard lock(mutex_);
    auto keys = inherited_;
    for (const auto& [key, where] : by_key_) keys[key] = where;
    return keys;
  }
  void inherit(All keys) {
    const std::lock_guard lock(mutex_);
    inherited_ = std::move(keys);
  }

 private:
  mutable std::mutex mutex_;
  All by_key_, inherited_;
  std::unordered_map<const void*, inspect::BackendKey> by_session_;
};

// As bytes for another process, and back. Total over any bytes: what can't be read is left out.
std::string encode_keys(const CancelKeys::All& keys);
CancelKeys::All decode_keys(const std::string& bytes);

struct Shared {
  explicit Shared(const SipKey& key) : silent_sources(key) {}
  SilentSources silent_sources;
  CancelKeys cancel_keys;
};

}  // namespace nlb::relay
