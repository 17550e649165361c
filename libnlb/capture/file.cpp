#include "libnlb/capture/file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace nlb::capture {
namespace {

constexpr std::size_t read_bytes = 256 * 1024;

}  // namespace

Result<File> File::open(const std::string& path) {
  if (path == "-") return File(STDIN_FILENO, "standard input", 0);
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0)
    return fail(ErrorKind::unavailable, "cannot open " + path + ": " + std::strerror(errno));
  struct stat status {};
  if (::fstat(descriptor, &status) != 0 || S_ISDIR(status.st_mode)) {
    ::close(descriptor);
    return fail(ErrorKind::unavailable, "cannot read " + path + ": it is a directory: name the capture files in it");
  }
  ::posix_fadvise(descriptor, 0, 0, POSIX_FADV_SEQUENTIAL);
  return File(descriptor, path, S_ISREG(status.st_mode) ? static_cast<std::uint64_t>(status.st_size) : 0);
}

File::File(int descriptor, std::string name, std::uint64_t size)
    : descriptor_(descriptor), name_(std::move(name)), size_(size), buffer_(read_bytes) {}

File::File(File&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), name_(std::move(other.name_)), size_(other.size_),
      parser_(std::move(other.parser_)), last_(other.last_), buffer_(std::move(other.buffer_)), begin_(other.begin_),
      end_(other.end_), offset_(other.offset_), packets_(other.packets_) {}

File::~File() {
  if (descriptor_ > STDIN_FILENO) ::close(descriptor_);
}

// Moves the unread rest to the front and reads until `needed` bytes are there; false at the end of the file.
Result<bool> File::fill(std::size_t needed) {
  std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
  offset_ += begin_;
  end_ -= std::exchange(begin_, 0);
  if (needed > buffer_.size()) buffer_.resize(needed + read_bytes);
  while (end_ < needed) {
    const auto got = ::read(descriptor_, buffer_.data() + end_, buffer_.size() - end_);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(ErrorKind::unavailable, "cannot read " + name_ + ": " + std::strerror(errno));
    if (got == 0) return false;
    end_ += static_cast<std::size_t>(got);
  }
  return true;
}

tl::unexpected<Error> File::cut_short() const {
  const auto at = offset_ + begin_;
  if (at == 0 && end_ == 0) return fail(ErrorKind::bad_input, name_ + " is empty: a capture has at least a header");
  return fail(ErrorKind::bad_input, name_ + " is truncated: the record after packet " + std::to_string(packets_) + ", at byte " +
                                        std::to_string(at) + ", needs " + std::to_string(parser_.needed()) + " bytes and " +
                                        std::to_string(end_ - begin_) + " are left: what came before was read");
}

// Stops at the first record that isn't whole; last_ says why.
std::size_t File::take_buffered(std::span<Packet> to) {
  std::size_t count = 0;
  while (count < to.size()) {
    last_ = parser_.next({buffer_.data() + begin_, end_ - begin_}, to[count]);
    if (last_ != Step::packet && last_ != Step::skipped) break;
    begin_ += parser_.consumed();
    count += last_ == Step::packet ? 1 : 0;
  }
  packets_ += count;
  return count;
}

Result<std::size_t> File::next(std::span<Packet> to) {
  for (;;) {
    if (const auto count = take_buffered(to); count > 0) return count;
    if (last_ == Step::damaged)
      return fail(ErrorKind::bad_input, name_ + " is damaged or no capture: at byte " + std::to_string(bytes_read()) + ", after packet " +
                                            std::to_string(packets_) + ", " + parser_.damage() +
                                            (packets_ > 0 ? ": what came before was read" : ""));
    const auto filled = fill(parser_.needed());
    if (!filled) return tl::unexpected<Error>(filled.error());
    if (*filled) continue;
    if (end_ == begin_ && offset_ > 0) return std::size_t{0};
    return cut_short();
  }
}

}  // namespace nlb::capture
