// Every flow of the shared captures' labels by content alone. The file holds 64 bytes of each direction at most, so "more" with all 64 of
// them is no mistake here.
#include <catch2/catch.hpp>
#include <map>

#include "corpus.hpp"
#include "libnlb/inspect/flow.hpp"

using namespace nlb;
using namespace nlb::inspect;

namespace {

constexpr std::size_t client_column = 8, server_column = 9, label_column = 6, start_column = 10, kept_bytes = 64;

std::string judged(Bytes client, Bytes server, const std::string& label) {
  const auto verdict = judge_flow(client, server).verdict;
  const bool cut = verdict.answer == Answer::more && client.size() >= kept_bytes && label != "unknown";
  return cut ? label : verdict.answer == Answer::more ? "unknown" : name_of(verdict);
}

}  // namespace

TEST_CASE("every labelled flow whose start was captured is named right, and no other protocol is claimed") {
  const auto rows = read_tsv(shared_folder() / "detection/captures/labels.tsv");
  if (rows.empty()) WARN("no shared labels.tsv: set NLB_SHARED to score against it");
  std::map<std::string, std::map<std::string, int>> confusion;
  for (const Row& row : rows) {
    const std::string& label = row.at(label_column);
    if (label == "ambiguous" || label == "midstream" || label == "empty") continue;
    if (label != "unknown" && row.at(start_column) != "yes") continue;
    const auto client = from_hex(row.at(client_column)).value(), server = from_hex(row.at(server_column)).value();
    const auto got = judged(client, server, label);
    ++confusion[label][got];
    INFO(row[0] << " " << row[1] << " stream " << row[2] << "\nclient " << row[client_column] << "\nserver " << row[server_column]);
    CHECK(got == label);
  }
  for (const auto& [label, counts] : confusion)
    for (const auto& [got, count] : counts) UNSCOPED_INFO(label << " judged " << got << ": " << count);
  CHECK(confusion.size() == (rows.empty() ? 0 : 8));
}
