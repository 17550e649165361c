#include "libnlb/bus/keys.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

namespace nlb::bus {

namespace {

constexpr std::size_t z85_key_bytes = 40;

Result<> write_new(const std::string& path, const std::string& text, mode_t mode) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  if (file < 0 && errno == EEXIST) return fail(ErrorKind::refused, "write " + path + ": it exists: remove it or choose another name");
  if (file < 0) return fail(ErrorKind::unavailable, "write " + path + ": " + std::strerror(errno));
  const bool written = ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && ::fsync(file) == 0;
  ::close(file);
  return written ? Result<>() : fail(ErrorKind::unavailable, "write " + path + ": the disk didn't take it");
}

Result<KeyPair> read(const std::string& path) {
  std::ifstream file(path);
  if (!file) return fail(ErrorKind::unavailable, "read " + path + ": " + std::strerror(errno) + ": make it with nlb-registry keygen");
  KeyPair keys;
  for (std::string word, value; file >> word >> value;) {
    std::array<std::uint8_t, 32> raw{};
    if (value.size() != z85_key_bytes || zmq_z85_decode(raw.data(), value.c_str()) == nullptr)
      return fail(ErrorKind::config, "read " + path + ": the " + word.substr(0, 20) + " key is no Z85 key of 40 characters: make it with nlb-registry keygen");
    if (word == "public") keys.public_key = value;
    if (word == "secret") keys.secret_key = value;
  }
  if (keys.public_key.empty()) return fail(ErrorKind::config, "read " + path + ": there is no line \"public <key>\": make it with nlb-registry keygen");
  return keys;
}

}  // namespace

Result<KeyPair> make_keys() {
  std::array<char, z85_key_bytes + 1> public_key{}, secret_key{};
  if (zmq_curve_keypair(public_key.data(), secret_key.data()) != 0)
    return fail(ErrorKind::internal, std::string("make keys: ") + zmq_strerror(zmq_errno()) + ": libzmq was built without CURVE");
  return KeyPair{public_key.data(), secret_key.data()};
}

Result<> save_keys(const KeyPair& keys, const std::string& directory, const std::string& name) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  const auto base = directory + "/" + name;
  const auto secret = write_new(base + ".key", "public " + keys.public_key + "\nsecret " + keys.secret_key + "\n", 0600);
  return secret ? write_new(base + ".pub", "public " + keys.public_key + "\n", 0644) : secret;
}

Result<KeyPair> load_keys(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0 && (status.st_mode & 077) != 0)
    return fail(ErrorKind::refused, "read " + path + ": others than its owner may read it: chmod 600 " + path);
  auto keys = read(path);
  if (keys && keys->secret_key.empty()) return fail(ErrorKind::config, "read " + path + ": there is no line \"secret <key>\": this is the public half");
  return keys;
}

Result<std::string> load_public_key(const std::string& path) {
  auto keys = read(path);
  return keys ? Result<std::string>(keys->public_key) : tl::unexpected(keys.error());
}

Result<std::map<std::string, std::string>> load_allowed(const std::string& directory) {
  std::map<std::string, std::string> allowed;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    if (entry.path().extension() != ".pub") continue;
    const auto key = load_public_key(entry.path().string());
    if (!key) return tl::unexpected(key.error());
    allowed[*key] = entry.path().stem().string();
  }
  if (error) return fail(ErrorKind::unavailable, "read " + directory + ": " + error.message() + ": name a directory of .pub files");
  return allowed;
}

}  // namespace nlb::bus
