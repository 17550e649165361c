// Reads the vectors of tests/data and, where they are at hand, the shared vectors and capture labels ($NLB_SHARED, or ../shared beside the
// project). Absent shared files give an empty list; the tests say so.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "libnlb/core/bytes.hpp"
#include "libnlb/inspect/detector.hpp"

namespace nlb::inspect {

using Row = std::vector<std::string>;

inline std::vector<Row> read_tsv(const std::filesystem::path& path) {
  std::vector<Row> rows;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    Row row(1);
    for (char c : line)
      if (c == '\t') row.emplace_back();
      else row.back() += c;
    rows.push_back(std::move(row));
  }
  if (!rows.empty()) rows.erase(rows.begin());   // the header
  return rows;
}

inline std::filesystem::path shared_folder() {
  if (const char* shared = std::getenv("NLB_SHARED")) return shared;
  return std::filesystem::path(NLB_SOURCE_DIR).parent_path() / "shared";
}

struct Vector {
  std::string name, want, note;
  std::vector<std::uint8_t> bytes;
  Speaker from = Speaker::client;
};

inline std::vector<Vector> read_vectors(const std::filesystem::path& path) {
  std::vector<Vector> vectors;
  for (const Row& row : read_tsv(path)) {
    const auto bytes = row.at(1) == "-" ? std::vector<std::uint8_t>{} : from_hex(row.at(1)).value();
    Vector v{row.at(0), row.at(2), row.size() > 3 ? row[3] : "", bytes};
    if (v.note.find("direction: server") != std::string::npos) v.from = Speaker::server;
    vectors.push_back(std::move(v));
  }
  return vectors;
}

inline std::vector<Vector> own_vectors() { return read_vectors(std::filesystem::path(NLB_TEST_DATA) / "detection/vectors.tsv"); }
inline std::vector<Vector> shared_vectors() { return read_vectors(shared_folder() / "detection/vectors.tsv"); }

inline std::vector<Vector> all_vectors() {
  auto vectors = own_vectors();
  for (auto& v : shared_vectors()) vectors.push_back(std::move(v));
  return vectors;
}

// What a verdict is called in the vectors.
inline std::string name_of(const Verdict& v) {
  switch (v.answer) {
    case Answer::match: return std::string(to_string(v.protocol));
    case Answer::more: return "more";
    case Answer::unknown: break;
  }
  return "unknown";
}

}  // namespace nlb::inspect
