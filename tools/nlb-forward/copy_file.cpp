#include "tools/nlb-forward/copy_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

#include <nlohmann/json.hpp>

#include "libnlb/core/hash.hpp"

namespace nlb::forward {
namespace {

using Json = nlohmann::json;

Json to_json(const bus::Copy& copy, MonoTime now) {
  Json facts = Json::array();
  for (const auto& [topic, fact] : copy.facts) {
    if (!fact.payload) continue;
    facts.push_back({{"topic", topic}, {"seq", fact.seq}, {"age_ms", std::max<std::int64_t>(0, (now - fact.made_at) / 1ms)},
                     {"quarantined", fact.quarantined}, {"payload", Json::binary({fact.payload->begin(), fact.payload->end()})}});
  }
  return {{"epoch", copy.epoch}, {"owner", copy.owner}, {"seq", copy.seq}, {"last", copy.last}, {"classes", copy.classes}, {"facts", std::move(facts)}};
}

bus::Copy from_json(const Json& json, MonoTime now) {
  bus::Copy copy;
  json.at("epoch").get_to(copy.epoch);
  json.at("owner").get_to(copy.owner);
  json.at("seq").get_to(copy.seq);
  for (const auto& [name, seq] : json.at("last").items()) copy.last[name] = seq.get<std::uint64_t>();
  copy.classes = json.value("classes", copy.classes);
  for (const auto& one : json.at("facts")) {
    const auto& bytes = one.at("payload").get_binary();
    bus::Fact fact;
    fact.payload = std::make_shared<const std::string>(bytes.begin(), bytes.end());
    fact.seq = one.at("seq").get<std::uint64_t>();
    fact.quarantined = one.value("quarantined", false);
    fact.made_at = now - std::chrono::milliseconds(one.at("age_ms").get<std::int64_t>());
    copy.facts.emplace(one.at("topic").get<std::string>(), std::move(fact));
  }
  return copy;
}

tl::unexpected<Error> disk_says(const std::string& what, const std::string& path) {
  return fail(ErrorKind::unavailable, "can't " + what + " " + path + ": " + std::strerror(errno));
}

}  // namespace

std::string encode_copies(const Copies& copies, MonoTime now) {
  Json all = Json::object();
  for (const auto& [peer, copy] : copies) all[peer] = to_json(copy, now);
  const auto body = Json::to_cbor(all);
  const auto crc = crc32c(body);
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(crc >> shift);
  return bytes.append(body.begin(), body.end());
}

Result<Copies> decode_copies(const std::string& bytes, MonoTime now) {
  const auto refuse = [] { return fail(ErrorKind::bad_input, "the saved copy of the bus is damaged: starting without it"); };
  const auto raw = as_bytes(bytes);
  if (raw.size() < 5 || load_be32(raw, 0) != crc32c(raw.subspan(4))) return refuse();
  try {
    Copies copies;
    const auto all = Json::from_cbor(raw.begin() + 4, raw.end());
    for (const auto& [peer, json] : all.items()) copies[peer] = from_json(json, now);
    return copies;
  } catch (const Json::exception&) {
    return refuse();
  }
}

Result<> save_copies(const std::string& path, const Copies& copies, MonoTime now) {
  const auto aside = path + ".new";
  const auto bytes = encode_copies(copies, now);
  const int file = open(aside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
  if (file < 0) return disk_says("write", aside);
  const bool written = write(file, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()) && fsync(file) == 0;
  if (close(file) != 0 || !written) return disk_says("write", aside);
  if (rename(aside.c_str(), path.c_str()) != 0) return disk_says("replace", path);
  return {};
}

Result<Copies> load_copies(const std::string& path, MonoTime now) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return Copies{};
  return decode_copies(std::string(std::istreambuf_iterator<char>(file), {}), now);
}

}  // namespace nlb::forward
