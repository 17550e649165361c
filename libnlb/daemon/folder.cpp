#include "libnlb/daemon/folder.hpp"

#include <sys/stat.h>

#include <filesystem>

namespace nlb::daemon {

Result<> make_folder_of(const std::string& path) {
  const auto folder = std::filesystem::path(path).parent_path();
  std::error_code error;
  if (folder.empty()) return {};
  if (std::filesystem::create_directories(folder, error)) ::chmod(folder.c_str(), 0750);
  if (error) return fail(ErrorKind::unavailable, "make the folder " + folder.string() + ": " + error.message() + ": make it, or name another place in the configuration");
  return {};
}

}  // namespace nlb::daemon
