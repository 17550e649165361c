#include <catch2/catch.hpp>

#include "libnlb/core/hash.hpp"
#include "libnlb/core/rng.hpp"
#include "libnlb/rollout/distinct.hpp"

using namespace nlb;
using namespace nlb::rollout;

TEST_CASE("a client that keeps failing is one event until a minute was quiet") {
  FailingClients clients;
  CHECK(clients.first_failure(7, 0));
  for (int t = 1; t < 300; t += 20) CHECK_FALSE(clients.first_failure(7, t));
  CHECK_FALSE(clients.first_failure(7, 281 + 59));
  CHECK(clients.first_failure(7, 281 + 59 + 60));
  CHECK(clients.raw_total() == 18);
  CHECK(clients.distinct_total() == 2);
}

TEST_CASE("a late failure doesn't make the client new, nor its next failure old") {
  FailingClients clients;
  CHECK(clients.first_failure(7, 100));
  CHECK_FALSE(clients.first_failure(7, 90));
  CHECK_FALSE(clients.first_failure(7, 159));
}

TEST_CASE("every client is counted while the set isn't full") {
  FailingClients clients;
  Rng rng(1);
  int counted = 0;
  for (int i = 0; i < 4000; ++i) counted += clients.first_failure(rng(), i / 100);
  CHECK(counted == 4000);
  CHECK(clients.thinned_bits() == 0);
}

TEST_CASE("a full set thins both versions alike, so that their ratio stays") {
  FailingClients clients;
  Rng rng(2);
  double canary = 0, stable = 0;
  for (int t = 0; t < 600; ++t) {   // 1,100 new failing clients a second, one in eleven the canary's
    for (int i = 0; i < 1000; ++i) stable += clients.first_failure(rng(), t);
    for (int i = 0; i < 100; ++i) canary += clients.first_failure(rng(), t);
    REQUIRE(clients.size() <= distinct_clients_max);
  }
  CHECK(clients.thinned_bits() >= 4);
  CHECK(stable / canary == Approx(10).epsilon(0.06));
  CHECK(stable > 10000);
}

TEST_CASE("a set that was thinned counts everybody again when it is quiet") {
  FailingClients clients;
  Rng rng(3);
  for (int i = 0; i < 50000; ++i) clients.first_failure(rng(), 0);
  REQUIRE(clients.thinned_bits() > 2);
  for (int t = 100; t < 400; t += 15) clients.first_failure(rng(), t);
  CHECK(clients.thinned_bits() == 0);
}

TEST_CASE("a run of connect failures counts its clients and ends with a success") {
  ConnectRun run;
  for (std::uint64_t client : {1, 1, 2, 1, 3, 4}) run.failed(client);
  CHECK(run.failures() == 6);
  CHECK(run.clients() == 3);
  run.succeeded();
  CHECK(run.failures() == 0);
  CHECK(run.clients() == 0);
}
