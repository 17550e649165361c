#include "libnlb/store/open.hpp"

#include "libnlb/store/etcd.hpp"
#include "libnlb/store/sqlite.hpp"

namespace nlb::store {

Result<std::unique_ptr<Store>> open_store(const config::Store& config, const std::string& tool, const config::Tls& tls) {
  if (config.etcd_endpoints.empty()) return open_sqlite_store(config.sqlite);
  EtcdOptions options;
  options.endpoints = config.etcd_endpoints;
  options.prefix = config.etcd_prefix + "/" + tool;
  options.ca_file = tls.client_ca;
  options.certificate_file = tls.certificate;
  options.key_file = tls.key;
  return open_etcd_store(options);
}

}  // namespace nlb::store
