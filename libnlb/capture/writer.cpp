#include "libnlb/capture/writer.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace nlb::capture {
namespace {

constexpr std::uint32_t snap_length = 262144;

struct PcapHeader {   // draft-ietf-opsawg-pcap section 4, in this machine's byte order
  std::uint32_t magic = 0xa1b23c4d;
  std::uint16_t major = 2, minor = 4;
  std::uint32_t zone = 0, accuracy = 0, snap = snap_length, link_type = 1;
};
struct PcapRecord { std::uint32_t seconds, nanoseconds, captured, original; };

struct SectionBlock {   // draft-ietf-opsawg-pcapng section 4.1
  std::uint32_t type = 0x0a0d0d0a, length = 28, order = 0x1a2b3c4d;
  std::uint16_t major = 1, minor = 0;
  std::uint32_t section_low = 0xffffffff, section_high = 0xffffffff, length_again = 28;
};
struct InterfaceBlock {   // section 4.2, with if_tsresol = 9: nanoseconds
  std::uint32_t type = 1, length = 32;
  std::uint16_t link_type = 1, reserved = 0;
  std::uint32_t snap = snap_length;
  std::uint16_t option = 9, option_length = 1;
  std::uint8_t resolution[4] = {9, 0, 0, 0};
  std::uint32_t end_of_options = 0, length_again = 32;
};
struct PacketBlock { std::uint32_t type, length, interface, time_high, time_low, captured, original; };   // section 4.3

}  // namespace

Result<Writer> Writer::create(const std::string& path) {
  auto* file = std::fopen(path.c_str(), "wbe");
  if (file == nullptr) return fail(ErrorKind::unavailable, "cannot create " + path + ": " + std::strerror(errno));
  std::setvbuf(file, nullptr, _IOFBF, 1 << 18);
  return Writer(file, path, path.ends_with(".pcapng"));
}

void Writer::header(std::uint32_t link_type) {
  PcapHeader h;
  h.link_type = link_type;
  put(&h, sizeof h);
}

std::uint32_t Writer::interface_of(std::uint32_t link_type) {
  const auto at = std::find(link_types_.begin(), link_types_.end(), link_type);
  if (at != link_types_.end()) return static_cast<std::uint32_t>(at - link_types_.begin());
  if (link_types_.empty()) {
    const SectionBlock section;
    put(&section, sizeof section);
  }
  InterfaceBlock block;
  block.link_type = static_cast<std::uint16_t>(link_type);
  put(&block, sizeof block);
  link_types_.push_back(link_type);
  return static_cast<std::uint32_t>(link_types_.size() - 1);
}

void Writer::write_pcap(const Packet& packet) {
  if (link_types_.empty()) {
    link_types_.push_back(packet.link_type);
    header(packet.link_type);
  }
  if (packet.link_type != link_types_.front()) return void(++refused_);
  const PcapRecord record{static_cast<std::uint32_t>(packet.time_ns / 1'000'000'000),
                          static_cast<std::uint32_t>(packet.time_ns % 1'000'000'000),
                          static_cast<std::uint32_t>(packet.bytes.size()), packet.original_length};
  put(&record, sizeof record);
  put(packet.bytes.data(), packet.bytes.size());
  ++written_;
}

void Writer::write_pcapng(const Packet& packet) {
  const auto interface = interface_of(packet.link_type);
  const auto size = static_cast<std::uint32_t>(packet.bytes.size()), padding = (4 - size % 4) % 4;
  const auto length = static_cast<std::uint32_t>(sizeof(PacketBlock)) + size + padding + 4;
  const auto time = static_cast<std::uint64_t>(packet.time_ns);
  const PacketBlock block{6, length, interface, static_cast<std::uint32_t>(time >> 32), static_cast<std::uint32_t>(time), size,
                          packet.original_length};
  put(&block, sizeof block);
  put(packet.bytes.data(), size);
  put("\0\0\0", padding);
  put(&length, sizeof length);
  ++written_;
}

void Writer::write(const Packet& packet) { pcapng_ ? write_pcapng(packet) : write_pcap(packet); }

Result<> Writer::close() {
  if (link_types_.empty()) pcapng_ ? void(interface_of(1)) : header(1);
  const bool bad = std::ferror(file_.get()) != 0;
  if (std::fclose(file_.release()) != 0 || bad)
    return fail(ErrorKind::unavailable, "cannot write " + path_ + ": " + std::strerror(errno) + ": the file is not complete");
  return {};
}

}  // namespace nlb::capture
