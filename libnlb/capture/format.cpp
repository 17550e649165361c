#include "libnlb/capture/format.hpp"

#include <algorithm>
#include <limits>

namespace nlb::capture {
namespace {

constexpr std::uint32_t section_block = 0x0a0d0d0a, section_order = 0x1a2b3c4d;
constexpr std::size_t pcap_header = 24, snoop_header = 16, snoop_record = 24;

std::uint32_t load_le16(Bytes b, std::size_t at) { return static_cast<std::uint32_t>(b[at] | b[at + 1] << 8); }

std::uint32_t ethernet_like(std::uint32_t snoop_type) {   // RFC 1761 and IANA's snoop datalink types, to LINKTYPE_
  switch (snoop_type) {
    case 2: return 6;      // token ring
    case 8: return 10;     // FDDI
    case 26: return 242;   // IP over InfiniBand
    default: return 1;     // 4: Ethernet
  }
}

std::size_t padded(std::size_t n) { return (n + 3) & ~std::size_t{3}; }

std::int64_t clamp_ns(std::int64_t seconds, std::uint64_t ns) {
  constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max() / 1'000'000'000 - 1;
  return std::clamp<std::int64_t>(seconds, 0, most) * 1'000'000'000 + static_cast<std::int64_t>(ns % 1'000'000'000);
}

}  // namespace

std::uint16_t RecordParser::u16(Bytes b, std::size_t at) const {
  return big_endian_ ? load_be16(b, at) : static_cast<std::uint16_t>(load_le16(b, at));
}
std::uint32_t RecordParser::u32(Bytes b, std::size_t at) const { return big_endian_ ? load_be32(b, at) : load_le32(b, at); }

Step RecordParser::want(std::size_t bytes) {
  consumed_ = 0;
  needed_ = bytes;
  return Step::more;
}
Step RecordParser::skip(std::size_t bytes) {
  consumed_ = bytes;
  return Step::skipped;
}
Step RecordParser::damaged(std::string why) {
  consumed_ = 0;
  damage_ = std::move(why);
  return Step::damaged;
}

Step RecordParser::next(Bytes window, Packet& out) {
  switch (format_) {
    case Format::pcap: return next_pcap(window, out);
    case Format::pcapng: return next_block(window, out);
    case Format::snoop: return next_snoop(window, out);
    case Format::unknown: return recognise(window);
  }
  return damaged("unknown format");
}

Step RecordParser::recognise(Bytes window) {
  if (window.size() < 4) return want(4);
  const auto big = load_be32(window, 0);
  if (big == section_block) return format_ = Format::pcapng, skip(0);
  if (big == 0x736e6f6f) return open_snoop(window);   // "snoo"
  for (const auto magic : {0xa1b2c3d4u, 0xa1b23c4du, 0xa1b2cd34u}) {
    if (big != magic && load_le32(window, 0) != magic) continue;
    big_endian_ = big == magic;
    return open_pcap(window, magic);
  }
  if (big >> 8 == 0x1f8b08) return damaged("it is compressed with gzip; try: zcat FILE | nlb-inspect -");
  if (big == 0x28b52ffd) return damaged("it is compressed with zstd; try: zstdcat FILE | nlb-inspect -");
  return damaged("it begins with " + to_hex(window.first(4)) + ", which is neither pcap, pcapng nor snoop");
}

Step RecordParser::open_pcap(Bytes window, std::uint32_t magic) {
  if (window.size() < pcap_header) return want(pcap_header);
  format_ = Format::pcap;
  record_header_ = magic == 0xa1b2cd34 ? 24 : 16;
  ns_per_fraction_ = magic == 0xa1b23c4d ? 1 : 1000;
  link_type_ = u32(window, 20) & 0xffff;   // the upper half speaks of the frame check sequence
  lengths_swapped_ = u16(window, 4) == 2 && u16(window, 6) < 3;
  return skip(pcap_header);
}

Step RecordParser::next_pcap(Bytes window, Packet& out) {
  if (window.size() < record_header_) return want(record_header_);
  auto captured = u32(window, 8), original = u32(window, 12);
  if (lengths_swapped_) std::swap(captured, original);
  if (captured > record_bytes_max)
    return damaged("a record claims " + std::to_string(captured) + " bytes, more than the limit of " +
                   std::to_string(record_bytes_max));
  const auto size = record_header_ + std::size_t{captured};
  if (window.size() < size) return want(size);
  out.bytes = window.subspan(record_header_, captured);
  out.original_length = original;
  out.link_type = link_type_;
  out.time_ns = clamp_ns(u32(window, 0), std::uint64_t{u32(window, 4)} * ns_per_fraction_);
  consumed_ = size;
  return Step::packet;
}

Step RecordParser::open_snoop(Bytes window) {
  if (window.size() < snoop_header) return want(snoop_header);
  if (as_text(window.first(8)) != std::string_view("snoop\0\0\0", 8)) return damaged("its snoop header is damaged");
  format_ = Format::snoop;
  big_endian_ = true;
  link_type_ = ethernet_like(load_be32(window, 12));
  return skip(snoop_header);
}

Step RecordParser::next_snoop(Bytes window, Packet& out) {
  if (window.size() < snoop_record) return want(snoop_record);
  const auto original = load_be32(window, 0), captured = load_be32(window, 4), size = load_be32(window, 8);
  if (size > record_bytes_max || size < snoop_record || captured > size - snoop_record)
    return damaged("a snoop record of " + std::to_string(size) + " bytes claims " + std::to_string(captured) + " captured ones");
  if (window.size() < size) return want(size);
  out.bytes = window.subspan(snoop_record, captured);
  out.original_length = original;
  out.link_type = link_type_;
  out.time_ns = clamp_ns(load_be32(window, 16), std::uint64_t{load_be32(window, 20)} * 1000);
  consumed_ = size;
  return Step::packet;
}

Step RecordParser::open_section(Bytes window) {
  if (window.size() < 28) return want(28);
  const auto order = load_be32(window, 8);
  big_endian_ = order == section_order;
  if (!big_endian_ && load_le32(window, 8) != section_order) return damaged("a pcapng section has no byte-order mark");
  interfaces_.clear();
  return Step::skipped;
}

Step RecordParser::next_block(Bytes window, Packet& out) {
  if (window.size() < 12) return want(12);
  if (load_be32(window, 0) == section_block)
    if (const auto step = open_section(window); step != Step::skipped) return step;
  const auto type = u32(window, 0), size = u32(window, 4);
  if (size < 12 || size > record_bytes_max)
    return damaged("a pcapng block claims " + std::to_string(size) + " bytes; 12 to " + std::to_string(record_bytes_max) +
                   " are possible");
  const auto whole = padded(size);
  if (window.size() < size) return want(size);
  if (u32(window, size - 4) != size && whole == size) return damaged("a pcapng block's two lengths differ");
  consumed_ = size;
  return read_block(type, window.subspan(8, size - 12), out);
}

Step RecordParser::read_block(std::uint32_t type, Bytes block, Packet& out) {
  switch (type) {
    case 1: return add_interface(block);
    case 2: return read_obsolete(block, out);
    case 3: return read_simple(block, out);
    case 6: return read_enhanced(block, out);
    default: return Step::skipped;
  }
}

Step RecordParser::add_interface(Bytes block) {
  if (block.size() < 8) return damaged("a pcapng interface block is too short");
  if (interfaces_.size() >= interfaces_max) return damaged("more than " + std::to_string(interfaces_max) + " interfaces");
  Interface interface{.link_type = u16(block, 0)};
  read_interface_options(block.subspan(8), interface);
  interfaces_.push_back(interface);
  return Step::skipped;
}

// Options if_tsresol (9) and if_tsoffset (14): the clock's resolution as a power of ten or, with the top bit, of two.
void RecordParser::read_interface_options(Bytes options, Interface& to) const {
  while (options.size() >= 4) {
    const auto code = u16(options, 0);
    const std::size_t length = u16(options, 2);
    if (code == 0 || options.size() < 4 + length) return;
    if (code == 9 && length >= 1) {
      const unsigned exponent = options[4] & 0x7f;
      to.ticks_per_second = 1;
      if (options[4] & 0x80) to.ticks_per_second = exponent < 63 ? 1ull << exponent : 1ull << 63;
      else for (unsigned i = 0; i < std::min(exponent, 19u); ++i) to.ticks_per_second *= 10;
    }
    if (code == 14 && length >= 8) {
      const std::uint64_t high = u32(options, big_endian_ ? 4 : 8), low = u32(options, big_endian_ ? 8 : 4);
      to.offset_s = static_cast<std::int64_t>(high << 32 | low);
    }
    options = options.subspan(std::min(options.size(), 4 + padded(length)));
  }
}

Step RecordParser::from_interface(std::uint32_t id, std::uint64_t ticks, Bytes data, std::uint32_t original, Packet& out) {
  if (id >= interfaces_.size())
    return damaged("a packet names interface " + std::to_string(id) + " of " + std::to_string(interfaces_.size()));
  const auto& interface = interfaces_[id];
  const auto rest = ticks % interface.ticks_per_second;
  const auto seconds = static_cast<std::int64_t>(std::min<std::uint64_t>(ticks / interface.ticks_per_second, 1ull << 40));
  const auto ns = static_cast<std::uint64_t>(static_cast<long double>(rest) * 1e9L / static_cast<long double>(interface.ticks_per_second));
  const auto offset = std::clamp<std::int64_t>(interface.offset_s, -(1ll << 40), 1ll << 40);
  out = {data, original, interface.link_type,
         clamp_ns(seconds + offset, interface.ticks_per_second == 1'000'000 ? rest * 1000 : ns)};
  return Step::packet;
}

Step RecordParser::read_enhanced(Bytes block, Packet& out) {
  if (block.size() < 20) return damaged("a pcapng packet block is too short");
  const auto captured = u32(block, 12);
  if (captured > block.size() - 20) return damaged("a pcapng packet claims more bytes than its block has");
  const auto ticks = std::uint64_t{u32(block, 4)} << 32 | u32(block, 8);
  return from_interface(u32(block, 0), ticks, block.subspan(20, captured), u32(block, 16), out);
}

Step RecordParser::read_obsolete(Bytes block, Packet& out) {
  if (block.size() < 20) return damaged("a pcapng packet block is too short");
  const auto captured = u32(block, 12);
  if (captured > block.size() - 20) return damaged("a pcapng packet claims more bytes than its block has");
  const auto ticks = std::uint64_t{u32(block, 4)} << 32 | u32(block, 8);
  return from_interface(u16(block, 0), ticks, block.subspan(20, captured), u32(block, 16), out);
}

Step RecordParser::read_simple(Bytes block, Packet& out) {   // no interface, no time, no captured length
  if (block.size() < 4) return damaged("a pcapng packet block is too short");
  const auto original = u32(block, 0);
  return from_interface(0, 0, block.subspan(4, std::min<std::size_t>(original, block.size() - 4)), original, out);
}

}  // namespace nlb::capture
