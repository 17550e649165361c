#include "libnlb/rpc/api_keys.hpp"

#include <sodium.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>

namespace nlb::rpc {

Result<std::vector<std::string>> read_api_keys(const std::string& path) {
  std::ifstream file(path);
  if (!file) return fail(ErrorKind::unavailable, "read the API key " + path + ": " + std::strerror(errno) + ": check security.api_key_file");
  std::vector<std::string> keys;
  for (std::string line; std::getline(file, line);) {
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.pop_back();
    if (line.empty() || line.front() == '#') continue;
    if (line.size() > api_key_bytes_max || keys.size() == api_keys_max)
      return fail(ErrorKind::config, "read the API key " + path + ": at most " + std::to_string(api_keys_max) + " keys of " +
                                         std::to_string(api_key_bytes_max) + " bytes: one key a line");
    keys.push_back(std::move(line));
  }
  if (keys.empty()) return fail(ErrorKind::config, "read the API key " + path + ": there is none: write one on a line of its own");
  return keys;
}

Result<std::vector<std::string>> ApiKeys::gather(const std::string& path) {
  std::vector<std::string> keys;
  if (const char* text = std::getenv("NLB_API_KEY"); text != nullptr && *text != '\0') keys.emplace_back(text);
  if (path.empty()) return keys;
  auto read = read_api_keys(path);
  if (!read) return read;
  keys.insert(keys.end(), read->begin(), read->end());
  return keys;
}

ApiKeys::Hash ApiKeys::hash(std::string_view key) {
  Hash out{};
  crypto_generichash(out.data(), out.size(), reinterpret_cast<const unsigned char*>(key.data()), key.size(), nullptr, 0);
  return out;
}

void ApiKeys::set(const std::vector<std::string>& keys) {
  std::vector<Hash> hashes;
  for (const auto& key : keys) hashes.push_back(hash(key));
  std::lock_guard lock(mutex_);
  hashes_ = std::move(hashes);
}

bool ApiKeys::empty() const {
  std::lock_guard lock(mutex_);
  return hashes_.empty();
}

bool ApiKeys::allow(std::string_view key) const {
  const auto sent = hash(key.substr(0, api_key_bytes_max + 1));
  std::lock_guard lock(mutex_);
  int found = hashes_.empty() ? 1 : 0;
  for (const auto& known : hashes_) found |= sodium_memcmp(sent.data(), known.data(), sent.size()) == 0 ? 1 : 0;   // no early end
  return found != 0;
}

}  // namespace nlb::rpc
