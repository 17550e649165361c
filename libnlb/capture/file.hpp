// A capture file or pipe as a stream of packets: one buffer, large reads, views into it. Memory is the buffer, whatever the file's size.
// Not mapped into memory on purpose: a mapped file that somebody truncates kills the reader, a pipe can't be mapped, and with reads of
// 256 KiB the copy stays in the second-level cache.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "libnlb/capture/format.hpp"
#include "libnlb/core/result.hpp"

namespace nlb::capture {

class File {
 public:
  // "-" is standard input. Errors: unavailable (the file can't be opened).
  static Result<File> open(const std::string& path);
  File(File&& other) noexcept;
  File& operator=(File&&) = delete;
  ~File();

  // Fills the front of `to` with the packets that follow and says how many; 0 at the end. All of them stay valid until the next call,
  // which reads only when not even one packet is in the buffer: a pipe is never waited for while packets are there. Errors: bad_input
  // (truncated or damaged; what came before was sound), unavailable (reading failed).
  Result<std::size_t> next(std::span<Packet> to);

  std::uint64_t bytes_read() const { return offset_ + begin_; }
  std::uint64_t size() const { return size_; }   // 0 when unknown (a pipe)

 private:
  File(int descriptor, std::string name, std::uint64_t size);
  std::size_t take_buffered(std::span<Packet> to);
  Result<bool> fill(std::size_t needed);
  tl::unexpected<Error> cut_short() const;

  int descriptor_;
  std::string name_;
  std::uint64_t size_;
  RecordParser parser_;
  Step last_ = Step::skipped;
  std::vector<std::uint8_t> buffer_;
  std::size_t begin_ = 0, end_ = 0;
  std::uint64_t offset_ = 0;    // of buffer_[0] in the file
  std::uint64_t packets_ = 0;
};

}  // namespace nlb::capture
