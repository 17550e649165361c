#include "libnlb/store/sqlite_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "libnlb/core/bytes.hpp"

namespace nlb::store {

namespace {

namespace fs = std::filesystem;

tl::unexpected<Error> failed(const std::string& what, int error) {
  return fail(ErrorKind::unavailable, what + ": " + std::strerror(error) + ": check the folder and its rights");
}
tl::unexpected<Error> damaged(const std::string& path, const std::string& why) {
  return fail(ErrorKind::bad_input, "open " + path + ": " + why + ": put a copy from a backup in its place, or move it away to start empty");
}

std::uint64_t size_of(const std::string& path) {   // 0: not there
  std::error_code error;
  const auto size = fs::file_size(path, error);
  return error ? 0 : size;
}

fs::path folder_of(const std::string& path) {
  const auto folder = fs::path(path).parent_path();
  return folder.empty() ? fs::path(".") : folder;
}

}  // namespace

Result<bool> file_is_there(const std::string& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) == 0) return true;
  if (errno != ENOENT) return failed("open " + path, errno);
  if (size_of(path + "-wal") > 0) return damaged(path, "the file is missing, but its log " + path + "-wal is there");
  return false;
}

// The header: https://www.sqlite.org/fileformat2.html section 1.3. With a log, pages may still be in there: the digest decides then.
Result<> check_not_cut(const std::string& path) {
  std::array<char, 100> header{};
  std::ifstream file(path, std::ios::binary);
  if (!file) return failed("open " + path, errno);
  if (!file.read(header.data(), header.size())) return damaged(path, "it has fewer than the 100 bytes of a header: it was cut");
  const auto bytes = as_bytes(std::string_view(header.data(), header.size()));
  if (std::memcmp(header.data(), "SQLite format 3", 16) != 0) return damaged(path, "it is not an SQLite file");
  const std::uint64_t page_bytes = load_be16(bytes, 16) == 1 ? 65536 : load_be16(bytes, 16);
  const auto expected = page_bytes * load_be32(bytes, 28);
  if (const auto size = size_of(path); size < expected && size_of(path + "-wal") == 0)
    return damaged(path, "it has " + std::to_string(size) + " bytes and should have " + std::to_string(expected) + ": it was cut");
  return {};
}

Result<> move_into_place(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) return failed("rename " + from, errno);
  const int folder = ::open(folder_of(to).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return failed("open " + folder_of(to).string(), errno);
  const bool synced = ::fsync(folder) == 0;
  const int error = errno;
  ::close(folder);
  return synced ? Result<>() : failed("sync " + folder_of(to).string(), error);
}

}  // namespace nlb::store
