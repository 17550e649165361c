// Calls to etcd over several endpoints: which one is asked, how long, and whether a failed call may be tried at the next.
//
// Reads, beats and revocations may be repeated. A write is sent once: after that, only an answer that says that it was not done (no
// leader, no connection) lets it go to the next endpoint; anything else is told as a timeout, since its outcome isn't known.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>

#include <grpcpp/grpcpp.h>

#include "etcd/rpc.grpc.pb.h"
#include "libnlb/store/etcd.hpp"

namespace nlb::store {

inline constexpr Duration reconnect_min = std::chrono::milliseconds(100), reconnect_max = std::chrono::seconds(2);

class EtcdClient {
 public:
  struct Endpoint {
    std::string name;
    std::shared_ptr<grpc::Channel> channel;
    std::unique_ptr<etcdserverpb::KV::Stub> kv;
    std::unique_ptr<etcdserverpb::Lease::Stub> lease;
    std::unique_ptr<etcdserverpb::Watch::Stub> watch;
  };
  enum class Repeat : std::uint8_t { yes, if_not_done };

  static Result<std::unique_ptr<EtcdClient>> make(const EtcdOptions& options);

  using Question = std::function<grpc::Status(Endpoint&, grpc::ClientContext&)>;
  Result<> ask(const char* what, Repeat repeat, const Question& question);

  // The endpoint to use now, connected; null after `until`.
  Endpoint* connected(MonoTime until);
  void avoid(const Endpoint& endpoint);          // the next question starts at another one
  static void prepare(grpc::ClientContext& context);   // a member that lost its cluster says so

 private:
  EtcdClient(std::vector<Endpoint> endpoints, Duration timeout) : endpoints_(std::move(endpoints)), timeout_(timeout) {}
  std::string names() const;

  std::vector<Endpoint> endpoints_;
  Duration timeout_;
  std::atomic<std::size_t> current_ = 0;         // shared by all threads that ask: where the last answer came from
};

Error error_of(const std::string& what, const grpc::Status& status);

}  // namespace nlb::store
