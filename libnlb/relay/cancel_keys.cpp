// Cancellation keys on their way to the process that takes over: CBOR (RFC 8949), a list of [key, service, module].
#include <nlohmann/json.hpp>

#include "libnlb/relay/shared.hpp"

namespace nlb::relay {

using Json = nlohmann::json;

std::string encode_keys(const CancelKeys::All& keys) {
  Json list = Json::array();
  for (const auto& [key, where] : keys) list.push_back(Json::array({key, where.service, where.module}));
  const auto bytes = Json::to_cbor(list);
  return std::string(bytes.begin(), bytes.end());
}

CancelKeys::All decode_keys(const std::string& bytes) {
  CancelKeys::All keys;
  const auto list = Json::from_cbor(bytes, true, false);
  if (!list.is_array()) return keys;
  for (const auto& one : list) {
    const bool sound = one.is_array() && one.size() == 3 && one[0].is_number_unsigned() && one[1].is_string() && one[2].is_string();
    if (!sound || keys.size() >= CancelKeys::keys_max) continue;
    keys[one[0].get<inspect::BackendKey>()] = {one[1].get<std::string>(), one[2].get<std::string>()};
  }
  return keys;
}

}  // namespace nlb::relay
