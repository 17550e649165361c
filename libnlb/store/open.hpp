// The store that the configuration names, for one tool: its own SQLite file, or its own prefix in etcd (<prefix>/<tool>/).
#pragma once

#include <memory>
#include <string>

#include "libnlb/config/config.hpp"
#include "libnlb/store/store.hpp"

namespace nlb::store {

// `config` is expanded already (config/expand.hpp). `tls` is what https endpoints use: the CA, and the own certificate if any.
Result<std::unique_ptr<Store>> open_store(const config::Store& config, const std::string& tool, const config::Tls& tls = {});

}  // namespace nlb::store
