// The cluster's API key: who sends one of the keys in the list may call. The list has several keys while they are rotated: add the new
// one, reload, move the callers, take the old one out, reload. Keys are held as hashes, compared in constant time, never printed.
#pragma once

#include <array>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "libnlb/core/result.hpp"

namespace nlb::rpc {

inline constexpr std::string_view api_key_metadata = "x-nlb-api-key";
inline constexpr std::size_t api_key_bytes_max = 4096;
inline constexpr std::size_t api_keys_max = 64;

// One key a line; empty lines and lines that begin with # don't count. The first is the one that callers send.
Result<std::vector<std::string>> read_api_keys(const std::string& path);

class ApiKeys {   // safe from every thread
 public:
  // From the file and NLB_API_KEY, whichever is there; none: every caller is let in.
  static Result<std::vector<std::string>> gather(const std::string& path);
  void set(const std::vector<std::string>& keys);
  bool empty() const;
  bool allow(std::string_view key) const;

 private:
  using Hash = std::array<unsigned char, 32>;
  static Hash hash(std::string_view key);
  mutable std::mutex mutex_;
  std::vector<Hash> hashes_;
};

}  // namespace nlb::rpc
