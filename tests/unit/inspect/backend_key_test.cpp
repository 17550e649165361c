#include <catch2/catch.hpp>

#include "libnlb/inspect/backend_key.hpp"

using namespace nlb;
using inspect::BackendKeyScan;

namespace {

// AuthenticationOk, ParameterStatus, BackendKeyData (pid 1234, secret 0xdeadbeef), ReadyForQuery.
const auto startup = *from_hex("520000000800000000" "530000000b6b6579006f6b00" "4b0000000c000004d2deadbeef" "5a0000000549");
constexpr std::uint64_t key = std::uint64_t{1234} << 32 | 0xdeadbeef;

std::optional<std::uint64_t> scan_in_pieces(Bytes bytes, std::size_t piece) {
  BackendKeyScan scan;
  std::optional<std::uint64_t> found;
  for (std::size_t at = 0; at < bytes.size(); at += piece)
    if (const auto key_here = scan.feed(bytes.subspan(at, std::min(piece, bytes.size() - at)))) found = key_here;
  return found;
}

}  // namespace

TEST_CASE("the key is found however the start-up stream is cut") {
  for (std::size_t piece = 1; piece <= startup.size(); ++piece) CHECK(scan_in_pieces(startup, piece) == key);
}

TEST_CASE("a no to SSLRequest stands before the messages") {
  BackendKeyScan scan;
  CHECK_FALSE(scan.feed(as_bytes("N")));
  CHECK(scan.feed(startup) == key);
}

TEST_CASE("nothing is learned from an encrypted stream, an error, or a stream without a key") {
  BackendKeyScan encrypted;
  CHECK_FALSE(encrypted.feed(as_bytes("S")));
  CHECK(encrypted.over());
  BackendKeyScan refused;
  CHECK_FALSE(refused.feed(*from_hex("450000000a5346415441")));
  CHECK(refused.over());
  BackendKeyScan keyless;
  CHECK_FALSE(keyless.feed(*from_hex("5200000008000000005a0000000549")));
  CHECK(keyless.over());
}

TEST_CASE("a CancelRequest names the same key, and other first packets name none") {
  CHECK(inspect::cancel_key(*from_hex("0000001004d2162e000004d2deadbeef")) == key);
  CHECK_FALSE(inspect::cancel_key(*from_hex("0000000804d2162f")));
  CHECK_FALSE(inspect::cancel_key(*from_hex("0000001004d2162e000004d2deadbe")));
}
