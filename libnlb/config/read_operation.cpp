#include "libnlb/config/sections.hpp"

namespace nlb::config {
namespace {

void read_security(Reader in, Security& out) {
  auto tls = in.at("tls");
  tls.read("certificate", out.tls.certificate);
  tls.read("key", out.tls.key);
  tls.read("client_ca", out.tls.client_ca);
  in.read("api_key_file", out.api_key_file);
  in.read("run_as", out.run_as);
  in.read("insecure", out.insecure);
  if (out.tls.certificate.empty() != out.tls.key.empty())
    tls.problem(out.tls.key.empty() ? "certificate" : "key", "a certificate and its key only work together: name both or none");
  if (!out.tls.client_ca.empty() && out.tls.certificate.empty())
    tls.problem("client_ca", "clients can't be asked for certificates without TLS: name 'certificate' and 'key' too");
}

void read_log(Reader in, Log& out) {
  in.read("level", out.level);
  in.read("format", out.format);
  auto access = in.at("access");
  access.read("file", out.access.file);
  access.read("sample", out.access.sample);
}

void read_manager(Reader in, Manager& out) {
  in.read("url", out.url);
  in.read("api_key_file", out.api_key_file);
  in.read("ca_file", out.ca_file);
  in.read("interval", out.interval);
}

void read_licensing(Reader in, Licensing& out) {
  in.read("release_mode", out.release_mode);
  in.read("key_file", out.key_file);
  in.read("server", out.server);
  in.read("enterprise", out.enterprise);
}

}  // namespace

void read_operation(Reader in, Config& out) {
  read_security(in.at("security"), out.security);
  in.at("admin").read("address", out.admin.address);
  read_log(in.at("log"), out.log);
  auto tracing = in.at("tracing");
  tracing.read("otlp", out.tracing.otlp);
  tracing.read("sample", out.tracing.sample);
  read_manager(in.at("manager"), out.manager);
  read_licensing(in.at("licensing"), out.licensing);
}

}  // namespace nlb::config
