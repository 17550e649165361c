// The deploy service without its controller: what callers are told when it can't be reached.
#include <catch2/catch.hpp>

#include <thread>

#include "libnlb/deploy/service.hpp"

using namespace nlb;
using namespace nlb::deploy;

TEST_CASE("a call whose work the controller's thread no longer takes up ends with the service") {
  std::vector<Service::Work> forgotten;   // as a loop that has stopped: kept, never run
  Pulse pulse;
  Service service({[&](Service::Work work) { forgotten.push_back(std::move(work)); }, [] { return std::string(); }}, pulse, nullptr);
  grpc::Status status;
  const auto begun = std::chrono::steady_clock::now();
  std::thread caller([&] {
    grpc::ServerContext context;
    v1::ListDeployRequest request;
    v1::ListDeployReply reply;
    status = service.List(&context, &request, &reply);
  });
  pulse.end();
  caller.join();
  CHECK(status.error_code() == grpc::UNAVAILABLE);
  CHECK(status.error_message().find("ending") != std::string::npos);
  CHECK(std::chrono::steady_clock::now() - begun < answer_timeout / 3);
}
