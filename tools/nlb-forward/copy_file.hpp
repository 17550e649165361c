// The forwarder's own copy of the bus on disk: what it routes by after a restart, whoever else is away. One file, replaced whole
// (written aside, fsync, rename), CBOR (RFC 8949) with a CRC-32C in front; a file that is damaged is refused, never half believed.
#pragma once

#include <map>
#include <string>

#include "libnlb/bus/subscriber_state.hpp"
#include "libnlb/core/result.hpp"

namespace nlb::forward {

using Copies = std::map<std::string, bus::Copy>;   // by the peer's publish endpoint

std::string encode_copies(const Copies& copies, MonoTime now);
Result<Copies> decode_copies(const std::string& bytes, MonoTime now);   // bad_input

Result<> save_copies(const std::string& path, const Copies& copies, MonoTime now);   // unavailable: the disk says why
Result<Copies> load_copies(const std::string& path, MonoTime now);                   // no file: none

}  // namespace nlb::forward
