#include "libnlb/bus/keys.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "libnlb/bus/codec_topic.hpp"

namespace nlb::bus {

namespace {

constexpr std::size_t z85_key_bytes = 40;
constexpr std::size_t public_keys_max = 2;      // the one in use, and the next

Result<> write_new(const std::string& path, const std::string& text, mode_t mode) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  if (file < 0 && errno == EEXIST) return fail(ErrorKind::refused, "write " + path + ": it exists: remove it or choose another name");
  if (file < 0) return fail(ErrorKind::unavailable, "write " + path + ": " + std::strerror(errno));
  const bool written = ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && ::fsync(file) == 0;
  ::close(file);
  return written ? Result<>() : fail(ErrorKind::unavailable, "write " + path + ": the disk didn't take it");
}

struct KeyFile {
  std::vector<std::string> public_keys;
  std::string secret_key, role;
  std::vector<std::string> classes;
};

bool is_key(const std::string& text) {
  std::array<std::uint8_t, 32> raw{};
  return text.size() == z85_key_bytes && zmq_z85_decode(raw.data(), text.c_str()) != nullptr;
}

Result<KeyFile> read(const std::string& path) {
  std::ifstream stream(path);
  if (!stream) return fail(ErrorKind::unavailable, "read " + path + ": " + std::strerror(errno) + ": make it with nlb-registry keygen");
  const auto wrong = [&](const std::string& why) { return fail(ErrorKind::config, "read " + path + ": " + why); };
  KeyFile file;
  for (std::string word, value; stream >> word >> value;) {
    if ((word == "public" || word == "secret") && !is_key(value))
      return wrong("the " + word + " key is no Z85 key of 40 characters: make it with nlb-registry keygen");
    if (word == "public") file.public_keys.push_back(value);
    else if (word == "secret") file.secret_key = value;
    else if (word == "role" && find_role(value)) file.role = value;
    else if (word == "role") return wrong("there is no role \"" + value + "\": use forward, registry, deploy, scale or all");
    else if (word == "topics" && find_class(value)) file.classes.push_back(value);
    else if (word == "topics") return wrong("there is no topic class \"" + value + "\": nlb-inspect bus shows which there are");
    else return wrong("\"" + word.substr(0, 40) + "\" is no line of a key file: use public, secret, role and topics");
  }
  if (file.public_keys.empty()) return wrong("there is no line \"public <key>\": make it with nlb-registry keygen");
  if (file.public_keys.size() > public_keys_max) return wrong("there are more than two public keys: take out the oldest");
  if (!file.role.empty() && !file.classes.empty()) return wrong("both role and topics: keep one of them");
  return file;
}

}  // namespace

Result<KeyPair> make_keys() {
  std::array<char, z85_key_bytes + 1> public_key{}, secret_key{};
  if (zmq_curve_keypair(public_key.data(), secret_key.data()) != 0)
    return fail(ErrorKind::internal, std::string("make keys: ") + zmq_strerror(zmq_errno()) + ": libzmq was built without CURVE");
  return KeyPair{public_key.data(), secret_key.data()};
}

Result<> save_keys(const KeyPair& keys, const std::string& directory, const std::string& name, std::string_view role) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  const auto base = directory + "/" + name;
  const auto secret = write_new(base + ".key", "public " + keys.public_key + "\nsecret " + keys.secret_key + "\n", 0600);
  return secret ? write_new(base + ".pub", "public " + keys.public_key + "\nrole " + std::string(role) + "\n", 0644) : secret;
}

Result<KeyPair> load_keys(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0 && (status.st_mode & 077) != 0)
    return fail(ErrorKind::refused, "read " + path + ": others than its owner may read it: chmod 600 " + path);
  auto file = read(path);
  if (!file) return tl::unexpected(file.error());
  if (file->secret_key.empty()) return fail(ErrorKind::config, "read " + path + ": there is no line \"secret <key>\": this is the public half");
  return KeyPair{file->public_keys.front(), file->secret_key};
}

Result<std::vector<std::string>> load_public_keys(const std::string& path) {
  auto file = read(path);
  return file ? Result<std::vector<std::string>>(std::move(file->public_keys)) : tl::unexpected(file.error());
}

Result<Readers> load_readers(const std::string& directory) {
  Readers readers;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    if (entry.path().extension() != ".pub") continue;
    auto file = read(entry.path().string());
    if (!file) return tl::unexpected(file.error());
    Reader reader{entry.path().stem().string(), {}, file->role, std::move(file->classes)};
    if (reader.role.empty() && reader.classes.empty()) reader.role = "all";
    if (const auto* role = find_role(reader.role)) reader.classes = classes_of(*role);
    std::sort(reader.classes.begin(), reader.classes.end());
    for (const auto& key : file->public_keys) {      // a reader may change its pair, too
      reader.key = key;
      readers[key] = reader;
    }
  }
  if (error) return fail(ErrorKind::unavailable, "read " + directory + ": " + error.message() + ": name a directory of .pub files");
  return readers;
}

bool Reader::may_read(std::string_view topic_class) const {
  return classes.empty() || std::binary_search(classes.begin(), classes.end(), topic_class, std::less<>{});
}

}  // namespace nlb::bus
