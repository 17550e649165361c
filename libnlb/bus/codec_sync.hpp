// The bus's own messages as values: updates, beats, and the question and answer of catching up. The edge turns them into protobuf.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "libnlb/bus/codec.hpp"
#include "libnlb/core/time.hpp"

namespace nlb::bus {

using Heads = std::map<std::string, std::uint64_t, std::less<>>;   // topic class to the last sequence number in it

struct Update {               // the whole state of one key
  std::string topic;
  Payload payload;            // null: the key is gone
  std::uint64_t seq = 0;
  std::uint32_t class_back = 0;
  MonoTime made_at;           // on the clock of whoever holds it
  bool gone() const { return payload == nullptr; }
};

struct Beat {
  std::uint64_t head_seq = 0;
  Heads heads;
  Duration interval = std::chrono::seconds(1);
  std::string owner_name;
};

struct SyncRequest {
  std::uint64_t id = 0;
  std::vector<std::string> classes;   // sorted; empty: all
  std::uint64_t have_epoch = 0;
  std::uint64_t have_seq = 0;
  bool operator==(const SyncRequest&) const = default;
};

struct SyncChunk {
  std::uint64_t id = 0;
  std::uint64_t epoch = 0;
  std::uint64_t owner = 0;
  std::uint64_t seq = 0;      // the owner's head when it answered
  std::uint32_t index = 0;
  bool delta = false;
  bool last = false;
  std::vector<Update> entries;
  std::uint64_t count = 0;    // in the last chunk, over all of them
  std::uint32_t hash = 0;     // likewise
  std::vector<std::string> refused_classes{};   // likewise: asked for, and not the asker's to read
};

struct OwnerEntry {           // of the directory: who binds what
  std::string name;           // "deploy/host-a": its role, then its own name
  std::string publish, sync;  // endpoints
  std::string key;            // CURVE public key in Z85; empty: none
  bool operator==(const OwnerEntry&) const = default;
};
inline std::string_view role_of(std::string_view owner_name) { return owner_name.substr(0, owner_name.find('/')); }

// Running hash of a snapshot or delta: CRC-32C over topic, 0, seq (8 bytes little endian), gone (1 byte), payload.
std::uint32_t sync_hash(const Update& update, std::uint32_t seed);

}  // namespace nlb::bus
