// Between the values that the pure folders know and the protobuf messages that travel. Total: any bytes give a value or an error.
#pragma once

#include <string>

#include "libnlb/bus/codec_sync.hpp"
#include "libnlb/registry/health.hpp"
#include "libnlb/registry/module.hpp"
#include "nlb/v1/module.pb.h"

namespace nlb::bus {

v1::Module to_proto(const registry::Module& module);
Result<registry::Module> from_proto(const v1::Module& message);     // bad_input names the field
// What a caller registers: numbers that stand for nothing are bad_input too, where a reader of the bus takes a newer one for the last it knows.
Result<registry::Module> from_registration(const v1::Module& message);
v1::HealthDetail to_proto(const registry::ModuleKey& key, const registry::HealthFacts& facts, registry::CheckKind kind);

v1::Protocol to_proto(Protocol protocol);
Protocol from_proto(v1::Protocol protocol);                         // unknown for a number this version doesn't know

std::string encode_beat(const Beat& beat, std::string_view version);
Result<Beat> decode_beat(std::string_view bytes);
std::string encode_request(const SyncRequest& request);
Result<SyncRequest> decode_request(std::string_view bytes);
std::string encode_chunk(const SyncChunk& chunk, MonoTime now);     // without the request's id: see with_request_id
std::string request_id_field(std::uint64_t id);                     // appended to an encoded chunk: protobuf merges what is concatenated
std::string refused_classes_field(const std::vector<std::string>& classes);   // likewise, to the last chunk
std::string encode_follow(const std::vector<std::string>& classes);
Result<std::vector<std::string>> decode_follow(std::string_view bytes);
std::string encode_owner(const OwnerEntry& owner);
Result<OwnerEntry> decode_owner(std::string_view bytes);
std::string encode_directory(const std::vector<OwnerEntry>& owners);
Result<std::vector<OwnerEntry>> decode_directory(std::string_view bytes);
Result<SyncChunk> decode_chunk(std::string_view bytes, std::uint64_t owner, MonoTime now);

}  // namespace nlb::bus

