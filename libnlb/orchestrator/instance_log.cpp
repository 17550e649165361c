#include "libnlb/orchestrator/instance_log.hpp"

#include <fcntl.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

namespace nlb::orchestrator {
namespace fs = std::filesystem;

Result<Descriptor> open_log(const std::string& path) {
  std::error_code ignored;
  fs::create_directories(fs::path(path).parent_path(), ignored);
  Descriptor file(open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640));
  if (!file) return fail(ErrorKind::unavailable, "can't write the log " + path + ": " + std::strerror(errno) + ": correct its folder's permissions");
  return file;
}

void bound_log(const std::string& path, std::uint64_t bytes_max) {
  std::error_code error;
  const auto size = fs::file_size(path, error);
  if (error || size <= bytes_max) return;
  // A burst far above the bound isn't worth keeping: then only the cut matters.
  if (size <= 2 * bytes_max) fs::copy_file(path, path + ".1", fs::copy_options::overwrite_existing, error);
  fs::resize_file(path, 0, error);
}

}  // namespace nlb::orchestrator
