// Any message of the bus as one line of JSON, for people and pipes: `nlb-inspect bus` prints what this returns.
#pragma once

#include <string>

#include "libnlb/bus/codec_sync.hpp"

namespace nlb::bus {

// Keys: topic, class, epoch, seq, owner, age_ms, gone, body. `body` is the payload's protobuf JSON with the field names of
// proto/nlb/v1; a class or payload this version doesn't know gives `payload_bytes` and `payload_hex` (at most 64 bytes) instead.
std::string to_json(const Message& message);

}  // namespace nlb::bus
