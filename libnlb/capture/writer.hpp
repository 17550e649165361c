// Writes packets as a capture file: pcap with nanoseconds, or pcapng (one interface per link type) when the name ends in .pcapng.
#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "libnlb/capture/packet.hpp"
#include "libnlb/core/result.hpp"

namespace nlb::capture {

class Writer {   // one owner, not thread safe
 public:
  // Errors: unavailable (the file can't be created).
  static Result<Writer> create(const std::string& path);

  // A plain pcap has one link type, the first packet's; packets of another one are counted in refused() and left out.
  void write(const Packet& packet);
  Result<> close();   // flushes; errors: unavailable (the disk is full, ...). A file without packets is an empty, valid capture.

  std::uint64_t written() const { return written_; }
  std::uint64_t refused() const { return refused_; }

 private:
  struct Closer { void operator()(std::FILE* f) const { if (f != nullptr) std::fclose(f); } };
  Writer(std::FILE* file, std::string path, bool pcapng) : file_(file), path_(std::move(path)), pcapng_(pcapng) {}
  void put(const void* bytes, std::size_t size) { std::fwrite(bytes, 1, size, file_.get()); }
  void header(std::uint32_t link_type);
  std::uint32_t interface_of(std::uint32_t link_type);
  void write_pcap(const Packet& packet);
  void write_pcapng(const Packet& packet);

  std::unique_ptr<std::FILE, Closer> file_;
  std::string path_;
  bool pcapng_;
  std::vector<std::uint32_t> link_types_;
  std::uint64_t written_ = 0, refused_ = 0;
};

}  // namespace nlb::capture
