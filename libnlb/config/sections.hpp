// The readers of nlb.yaml, one small function per section; read_*.cpp.
#pragma once

#include "libnlb/config/config.hpp"
#include "libnlb/config/reader.hpp"

namespace nlb::config {

void read_traffic(Reader in, Config& out);    // detect, listen, modules
void read_services(Reader in, Config& out);   // routes, fallback, services, limits, health, relay
void read_control(Reader in, Config& out);    // registry, deploy, scale, bus, store
void read_operation(Reader in, Config& out);  // security, admin, log, tracing, manager, licensing

}  // namespace nlb::config
