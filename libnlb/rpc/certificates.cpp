#include "libnlb/rpc/certificates.hpp"

#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

namespace nlb::rpc {

namespace {

Result<std::string> read_file(const std::string& path, std::string_view key) {
  std::ifstream file(path);
  std::stringstream text;
  if (!file || !(text << file.rdbuf()))
    return fail(ErrorKind::unavailable, "read " + path + ": " + std::strerror(errno) + ": check " + std::string(key));
  return text.str();
}

using X509Ptr = std::unique_ptr<X509, decltype(&X509_free)>;
using KeyPtr = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using BioPtr = std::unique_ptr<BIO, decltype(&BIO_free)>;

BioPtr bio_of(const std::string& text) { return {BIO_new_mem_buf(text.data(), static_cast<int>(text.size())), &BIO_free}; }
X509Ptr first_certificate(const std::string& pem) { return {PEM_read_bio_X509(bio_of(pem).get(), nullptr, nullptr, nullptr), &X509_free}; }

// gRPC asks at every handshake whether there is something newer; it keeps what it was given last.
struct Fetcher {
  const Certificates* source;
  std::uint64_t given = 0;

  static grpc_ssl_certificate_config_reload_status fetch(void* self, grpc_ssl_server_certificate_config** config) {
    auto& fetcher = *static_cast<Fetcher*>(self);
    const auto generation = fetcher.source->generation();
    if (generation == fetcher.given) return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED;
    const auto pem = fetcher.source->current();
    const grpc_ssl_pem_key_cert_pair pair{pem.key.c_str(), pem.certificate.c_str()};
    // The core insists on roots (it aborts without) even where no client is asked for a certificate; then any will do.
    *config = grpc_ssl_server_certificate_config_create(pem.client_ca.empty() ? pem.certificate.c_str() : pem.client_ca.c_str(), &pair, 1);
    if (*config == nullptr) return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_FAIL;
    fetcher.given = generation;
    return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_NEW;
  }
};

// C++ has no public type for gRPC core's reloadable certificates, so this one hands the core's own to the server.
class ReloadableCredentials final : public grpc::ServerCredentials {
 public:
  ReloadableCredentials(Fetcher& fetcher, bool mutual) {
    const auto ask = mutual ? GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY : GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE;
    credentials_ = grpc_ssl_server_credentials_create_with_options(
        grpc_ssl_server_credentials_create_options_using_config_fetcher(ask, &Fetcher::fetch, &fetcher));
  }
  ~ReloadableCredentials() override { grpc_server_credentials_release(credentials_); }
  void SetAuthMetadataProcessor(const std::shared_ptr<grpc::AuthMetadataProcessor>&) override {}

 private:
  int AddPortToServer(const std::string& address, grpc_server* server) override {
    return grpc_server_add_http2_port(server, address.c_str(), credentials_);
  }
  grpc_server_credentials* credentials_;
};

}  // namespace

Result<Pem> read_pem(const config::Tls& tls) {
  Pem pem;
  const struct { const std::string& path; std::string_view name; std::string& to; } files[] = {
      {tls.certificate, "security.tls.certificate", pem.certificate}, {tls.key, "security.tls.key", pem.key},
      {tls.client_ca, "security.tls.client_ca", pem.client_ca}};
  for (const auto& file : files) {
    if (file.path.empty()) continue;
    auto text = read_file(file.path, file.name);
    if (!text) return tl::unexpected(text.error());
    file.to = std::move(*text);
  }
  const auto certificate = first_certificate(pem.certificate);
  if (!certificate) return fail(ErrorKind::config, tls.certificate + " has no certificate in PEM: check security.tls.certificate");
  const KeyPtr key{PEM_read_bio_PrivateKey(bio_of(pem.key).get(), nullptr, nullptr, nullptr), &EVP_PKEY_free};
  if (!key) return fail(ErrorKind::config, tls.key + " has no private key in PEM: check security.tls.key");
  if (X509_check_private_key(certificate.get(), key.get()) != 1)
    return fail(ErrorKind::config, tls.key + " is not the key of " + tls.certificate + ": give both of one pair");
  if (!pem.client_ca.empty() && !first_certificate(pem.client_ca))
    return fail(ErrorKind::config, tls.client_ca + " has no certificate in PEM: check security.tls.client_ca");
  return pem;
}

Result<std::shared_ptr<Certificates>> Certificates::load(const config::Tls& tls) {
  auto pem = read_pem(tls);
  if (!pem) return tl::unexpected(pem.error());
  return std::shared_ptr<Certificates>(new Certificates(std::move(*pem), !tls.client_ca.empty()));
}

Result<> Certificates::reload(const config::Tls& tls) {
  if (tls.client_ca.empty() == mutual_) return fail(ErrorKind::config, "security.tls.client_ca can't be switched on or off while running: restart");
  auto pem = read_pem(tls);
  if (!pem) return tl::unexpected(pem.error());
  std::lock_guard lock(mutex_);
  pem_ = std::move(*pem);
  ++generation_;
  return {};
}

std::uint64_t Certificates::generation() const {
  std::lock_guard lock(mutex_);
  return generation_;
}

Pem Certificates::current() const {
  std::lock_guard lock(mutex_);
  return pem_;
}

std::shared_ptr<grpc::ServerCredentials> Certificates::server_credentials() const {
  // The core keeps its credentials, and the pointer to the fetcher, longer than the server's builder keeps this object.
  const auto fetcher = std::make_shared<Fetcher>(Fetcher{this});
  {
    std::lock_guard lock(mutex_);
    fetchers_.push_back(fetcher);
  }
  return std::make_shared<ReloadableCredentials>(*fetcher, mutual_);
}

Result<std::shared_ptr<grpc::ChannelCredentials>> client_credentials(const ClientTls& tls) {
  if (!tls.on) return grpc::InsecureChannelCredentials();
  grpc::SslCredentialsOptions options;
  const struct { const std::string& path; std::string& to; } files[] = {
      {tls.ca, options.pem_root_certs}, {tls.certificate, options.pem_cert_chain}, {tls.key, options.pem_private_key}};
  for (const auto& file : files) {
    if (file.path.empty()) continue;
    auto text = read_file(file.path, "the --tls options");
    if (!text) return tl::unexpected(text.error());
    file.to = std::move(*text);
  }
  return grpc::SslCredentials(options);
}

}  // namespace nlb::rpc
