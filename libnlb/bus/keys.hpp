// CURVE keys as files. A pair is <name>.key (0600: public and secret) and <name>.pub (0644: what the other side is given), in Z85
// (ZeroMQ RFC 32): "public <40 characters>" and "secret <40 characters>", a line each.
#pragma once

#include <map>
#include <string>

#include "libnlb/core/result.hpp"

namespace nlb::bus {

struct KeyPair { std::string public_key, secret_key; };      // Z85

Result<KeyPair> make_keys();
Result<> save_keys(const KeyPair& keys, const std::string& directory, const std::string& name);   // refuses to overwrite
Result<KeyPair> load_keys(const std::string& path);          // refused when others than the owner may read it
Result<std::string> load_public_key(const std::string& path);
Result<std::map<std::string, std::string>> load_allowed(const std::string& directory);   // public key to name, from every *.pub

}  // namespace nlb::bus
