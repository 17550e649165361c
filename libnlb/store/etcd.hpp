// The shared store: etcd through its v3 gRPC API (proto/etcd), for controllers on more than one machine. Every key lies below a prefix.
// Reads and beats are tried at each endpoint in turn; a write whose outcome isn't known is not repeated but told (timeout).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "libnlb/store/store.hpp"

namespace nlb::store {

struct EtcdOptions {
  std::vector<std::string> endpoints;           // "https://host:2379", "http://...", "host:2379" (plain)
  std::string prefix = "/nlb";
  Duration timeout = std::chrono::seconds(5);   // of one call, over all endpoints
  std::string ca_file;                          // PEM; empty: the system's
  std::string certificate_file, key_file;       // the client's own; empty: none
};

// Does not wait for etcd to be there: the calls say unavailable until it is. bad_input: an endpoint, or a file that can't be read.
Result<std::unique_ptr<Store>> open_etcd_store(const EtcdOptions& options);

}  // namespace nlb::store
