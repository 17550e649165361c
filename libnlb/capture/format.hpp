// Reads the records of a capture file out of a window of its bytes: pcap (both byte orders, micro- and nanoseconds, Kuznetsov's modified
// records), pcapng (several sections and interfaces, each with its own link type and resolution) and snoop. It opens no file: whoever
// owns the bytes slides the window (file.hpp), so a pipe, a file and a fuzzer look the same.
//
// libpcap refuses pcapng files whose interfaces differ in link type; here every packet carries its own.
//
// Sources: draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng, RFC 1761 (snoop), libpcap's sf-pcap.c for the modified records.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "libnlb/capture/packet.hpp"

namespace nlb::capture {

inline constexpr std::size_t record_bytes_max = 16u << 20;   // a larger record is taken for damage
inline constexpr std::size_t interfaces_max = 65536;         // per pcapng section

enum class Step : std::uint8_t {
  packet,    // `out` was filled, consumed() bytes are done with once it has been used
  skipped,   // consumed() bytes held no packet (a header, a statistics block)
  more,      // the window ends within a record: call again with at least needed() bytes
  damaged,   // what follows is no capture: damage() says why; nothing after it can be trusted
};

// One owner; not thread safe. The window always starts where the last call's consumed() bytes ended.
class RecordParser {
 public:
  Step next(Bytes window, Packet& out);
  std::size_t consumed() const { return consumed_; }
  std::size_t needed() const { return needed_; }
  const std::string& damage() const { return damage_; }

 private:
  enum class Format : std::uint8_t { unknown, pcap, pcapng, snoop };
  struct Interface {
    std::uint32_t link_type = 0;
    std::uint64_t ticks_per_second = 1'000'000;
    std::int64_t offset_s = 0;
  };

  Step recognise(Bytes window);
  Step open_pcap(Bytes window, std::uint32_t magic);
  Step open_snoop(Bytes window);
  Step next_pcap(Bytes window, Packet& out);
  Step next_snoop(Bytes window, Packet& out);
  Step next_block(Bytes window, Packet& out);
  Step open_section(Bytes window);
  Step add_interface(Bytes block);
  Step read_enhanced(Bytes block, Packet& out);
  Step read_obsolete(Bytes block, Packet& out);
  Step read_simple(Bytes block, Packet& out);
  Step read_block(std::uint32_t type, Bytes block, Packet& out);
  void read_interface_options(Bytes options, Interface& to) const;
  Step from_interface(std::uint32_t id, std::uint64_t ticks, Bytes data, std::uint32_t original, Packet& out);

  std::uint16_t u16(Bytes b, std::size_t at) const;
  std::uint32_t u32(Bytes b, std::size_t at) const;
  Step want(std::size_t bytes);
  Step skip(std::size_t bytes);
  Step damaged(std::string why);

  Format format_ = Format::unknown;
  bool big_endian_ = false;
  bool lengths_swapped_ = false;        // pcap 2.2 and older wrote the two lengths the other way round
  std::uint32_t link_type_ = 0;
  std::uint32_t record_header_ = 16;
  std::uint32_t ns_per_fraction_ = 1000;
  std::vector<Interface> interfaces_;
  std::size_t consumed_ = 0;
  std::size_t needed_ = 0;
  std::string damage_;
};

}  // namespace nlb::capture
