#include "libnlb/store/etcd_client.hpp"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <thread>

#include "libnlb/store/clock.hpp"

namespace nlb::store {

namespace {

using std::chrono::milliseconds;

Result<std::string> read_pem(const std::string& path) {
  if (path.empty()) return std::string();
  std::ifstream file(path);
  std::stringstream text;
  if (!file || !(text << file.rdbuf()))
    return fail(ErrorKind::bad_input, "etcd: read " + path + ": " + std::strerror(errno) + ": check the path and its rights");
  return text.str();
}

Result<std::shared_ptr<grpc::ChannelCredentials>> secure(const EtcdOptions& options) {
  const auto ca = read_pem(options.ca_file), certificate = read_pem(options.certificate_file), key = read_pem(options.key_file);
  for (const auto* read : {&ca, &certificate, &key})
    if (!*read) return tl::unexpected(read->error());
  return grpc::SslCredentials({*ca, *key, *certificate});
}

grpc::ChannelArguments arguments() {
  grpc::ChannelArguments set;
  set.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 10000);
  set.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 3000);
  set.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 0);   // etcd's minimum is 5 s, and only with a stream
  set.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  set.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  set.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 1000);      // also how long a connect may take
  set.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 2000);
  set.SetMaxReceiveMessageSize(-1);                         // we read what we wrote, 1000 keys a page
  return set;
}

Result<EtcdClient::Endpoint> connect(const std::string& url, const EtcdOptions& options) {
  const auto mark = url.find("://");
  const auto scheme = mark == std::string::npos ? "http" : url.substr(0, mark);
  const auto address = mark == std::string::npos ? url : url.substr(mark + 3);
  const auto bad = [&](const char* why) { return fail(ErrorKind::bad_input, "etcd endpoint '" + url + "': " + why + ": write https://host:2379"); };
  if (scheme != "http" && scheme != "https") return bad("its scheme is neither http nor https");
  if (address.rfind(':') == std::string::npos || address.find('/') != std::string::npos) return bad("it isn't host:port");
  auto credentials = scheme == "http" ? Result<std::shared_ptr<grpc::ChannelCredentials>>(grpc::InsecureChannelCredentials()) : secure(options);
  if (!credentials) return tl::unexpected(credentials.error());
  auto channel = grpc::CreateCustomChannel(address, *credentials, arguments());
  return EtcdClient::Endpoint{url, channel, etcdserverpb::KV::NewStub(channel), etcdserverpb::Lease::NewStub(channel),
                              etcdserverpb::Watch::NewStub(channel)};
}

// A failed channel gets a moment too: gRPC reconnects only while somebody waits for it.
bool ready(grpc::Channel& channel, MonoTime until) {
  for (auto state = channel.GetState(true); state != GRPC_CHANNEL_READY; state = channel.GetState(true)) {
    const Duration left = until - steady_now();
    const auto wait = state == GRPC_CHANNEL_TRANSIENT_FAILURE ? std::min<Duration>(left, milliseconds(100)) : left;
    if (wait <= Duration::zero() || !channel.WaitForStateChange(state, std::chrono::system_clock::now() + wait)) return false;
  }
  return true;
}

bool not_done(const grpc::Status& status) {   // the answers of which it is certain that nothing was written
  const auto text = status.error_message();
  const auto says = [&](const char* words) { return text.find(words) != std::string::npos; };
  return status.error_code() == grpc::StatusCode::UNAVAILABLE &&
         (says("no leader") || says("not leader") || says("failed to connect") || says("server stopped"));
}

bool transient(const grpc::Status& status) {
  return status.error_code() == grpc::StatusCode::UNAVAILABLE || status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED;
}

}  // namespace

Error error_of(const std::string& what, const grpc::Status& status) {
  const auto text = "etcd: " + what + ": " + status.error_message();
  switch (status.error_code()) {
    case grpc::StatusCode::NOT_FOUND: return {ErrorKind::not_found, text + ": it has ended: ask for a new one"};
    case grpc::StatusCode::INVALID_ARGUMENT:
    case grpc::StatusCode::FAILED_PRECONDITION:
    case grpc::StatusCode::OUT_OF_RANGE: return {ErrorKind::bad_input, text + ": check the request"};
    case grpc::StatusCode::PERMISSION_DENIED:
    case grpc::StatusCode::UNAUTHENTICATED: return {ErrorKind::refused, text + ": check the certificate and etcd's roles"};
    case grpc::StatusCode::RESOURCE_EXHAUSTED: return {ErrorKind::unavailable, text + ": compact and defragment etcd, then disarm its alarm"};
    case grpc::StatusCode::DEADLINE_EXCEEDED: return {ErrorKind::timeout, text + ": whether it was done isn't known: read it again"};
    default: return {ErrorKind::unavailable, text + ": check that etcd runs"};
  }
}

Result<std::unique_ptr<EtcdClient>> EtcdClient::make(const EtcdOptions& options) {
  if (options.endpoints.empty()) return fail(ErrorKind::bad_input, "etcd: no endpoints: name at least one, https://host:2379");
  std::vector<Endpoint> endpoints;
  for (const auto& url : options.endpoints) {
    auto endpoint = connect(url, options);
    if (!endpoint) return tl::unexpected(endpoint.error());
    endpoints.push_back(std::move(*endpoint));
  }
  return std::unique_ptr<EtcdClient>(new EtcdClient(std::move(endpoints), options.timeout));
}

EtcdClient::Endpoint* EtcdClient::connected(MonoTime until) {
  do {
    const auto first = current_.load();
    const auto share = (until - steady_now()) / static_cast<int>(endpoints_.size());
    for (std::size_t i = 0; i < endpoints_.size(); ++i) {
      const auto at = (first + i) % endpoints_.size();
      if (!ready(*endpoints_[at].channel, steady_now() + share)) continue;
      current_ = at;
      return &endpoints_[at];
    }
    std::this_thread::sleep_for(std::min<Duration>(milliseconds(20), std::max(Duration::zero(), until - steady_now())));
  } while (steady_now() < until);
  return nullptr;
}

void EtcdClient::avoid(const Endpoint& endpoint) {
  const auto at = static_cast<std::size_t>(&endpoint - endpoints_.data());
  auto expected = at;
  current_.compare_exchange_strong(expected, (at + 1) % endpoints_.size());
}

void EtcdClient::prepare(grpc::ClientContext& context) { context.AddMetadata("hasleader", "true"); }

std::string EtcdClient::names() const {
  std::string text;
  for (const auto& endpoint : endpoints_) text += (text.empty() ? "" : ", ") + endpoint.name;
  return text;
}

Result<> EtcdClient::ask(const char* what, Repeat repeat, const Question& question) {
  const auto until = steady_now() + timeout_;
  Error last{ErrorKind::unavailable, std::string("etcd: ") + what + ": none of " + names() + " answers: check that etcd runs"};
  while (auto* endpoint = connected(until)) {
    grpc::ClientContext context;
    prepare(context);
    const auto left = until - steady_now();
    const auto share = repeat == Repeat::yes ? std::max<Duration>(left / static_cast<int>(endpoints_.size()), milliseconds(200)) : left;
    context.set_deadline(std::chrono::system_clock::now() + share);
    const auto status = question(*endpoint, context);
    if (status.ok()) return {};
    last = error_of(what, status);
    if (!transient(status)) break;
    avoid(*endpoint);
    if (repeat == Repeat::if_not_done && !not_done(status)) {
      last = {ErrorKind::timeout, last.text.substr(0, last.text.rfind(": ")) + ": whether it was done isn't known: read it again"};
      break;
    }
    if (steady_now() >= until) break;
    std::this_thread::sleep_for(milliseconds(20));     // an election of etcd's own takes about a second
  }
  return tl::unexpected(last);
}

}  // namespace nlb::store
