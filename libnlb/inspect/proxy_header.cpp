#include "libnlb/inspect/proxy_header.hpp"

#include <algorithm>
#include <charconv>

#include "libnlb/core/hash.hpp"
#include "libnlb/inspect/text.hpp"

namespace nlb::inspect {

namespace {

constexpr std::string_view v1_start = "PROXY ";
constexpr std::array<std::uint8_t, 12> v2_signature{0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};
constexpr std::size_t v2_fixed_bytes = 16, path_bytes = 108;

ProxyHeader malformed(std::uint8_t version, std::string_view reason) {
  ProxyHeader header;
  header.answer = ProxyAnswer::malformed;
  header.version = version;
  header.reason = reason;
  return header;
}

ProxyHeader need(std::uint8_t version, std::size_t bytes) {
  ProxyHeader header;
  header.answer = ProxyAnswer::more;
  header.version = version;
  header.need_bytes = static_cast<std::uint32_t>(bytes);
  return header;
}

// Fields are apart by exactly one space.
std::string_view take_field(std::string_view& line) {
  const auto space = line.find(' ');
  const auto field = line.substr(0, space);
  line.remove_prefix(space == std::string_view::npos ? line.size() : space + 1);
  return field;
}

// Dotted quad without leading zeros, as section 2.1 wants.
bool read_ipv4(std::string_view text, IpAddress& address) {
  std::uint32_t value = 0;
  for (int part = 0; part < 4; ++part) {
    unsigned octet = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), octet);
    const auto digits = static_cast<std::size_t>(end - text.data());
    if (error != std::errc{} || octet > 255 || (digits > 1 && text[0] == '0')) return false;
    value = value << 8 | octet;
    text.remove_prefix(digits);
    if (part < 3) {
      if (text.empty() || text[0] != '.') return false;
      text.remove_prefix(1);
    }
  }
  address = IpAddress::v4(value);
  return text.empty();
}

// RFC 4291 section 2.2, forms 1 to 3, no zone.
class Ipv6Reader {
 public:
  explicit Ipv6Reader(std::string_view text) : text_(text) {}

  bool read(IpAddress& address) {
    if (text_.starts_with("::")) {
      gap_ = 0;
      text_.remove_prefix(2);
    }
    while (!text_.empty())
      if (!read_group()) return false;
    if (gap_ < 0 ? used_ != 16 : used_ > 14) return false;
    std::array<std::uint8_t, 16> whole{};
    const auto head = static_cast<std::size_t>(gap_ < 0 ? 16 : gap_);
    std::copy_n(bytes_.begin(), head, whole.begin());
    std::copy_backward(bytes_.begin() + static_cast<std::ptrdiff_t>(head), bytes_.begin() + static_cast<std::ptrdiff_t>(used_), whole.end());
    address = IpAddress::v6(Bytes(whole));
    return true;
  }

 private:
  bool read_group() {
    if (used_ > 14) return false;
    if (text_.find('.') != std::string_view::npos && text_.find(':') == std::string_view::npos) return read_dotted();
    unsigned value = 0;
    const auto [end, error] = std::from_chars(text_.data(), text_.data() + text_.size(), value, 16);
    const auto digits = static_cast<std::size_t>(end - text_.data());
    if (error != std::errc{} || digits > 4) return false;
    bytes_[used_++] = static_cast<std::uint8_t>(value >> 8);
    bytes_[used_++] = static_cast<std::uint8_t>(value);
    text_.remove_prefix(digits);
    return read_separator();
  }

  bool read_separator() {
    if (text_.empty()) return true;
    if (text_.starts_with("::")) {
      if (gap_ >= 0) return false;
      gap_ = static_cast<int>(used_);
      text_.remove_prefix(2);
      return true;
    }
    if (text_[0] != ':' || text_.size() == 1) return false;
    text_.remove_prefix(1);
    return true;
  }

  bool read_dotted() {
    IpAddress v4;
    if (used_ > 12 || !read_ipv4(text_, v4)) return false;
    for (const auto octet : v4.bytes().last(4)) bytes_[used_++] = octet;
    text_ = {};
    return true;
  }

  std::string_view text_;
  std::array<std::uint8_t, 16> bytes_{};
  std::size_t used_ = 0;
  int gap_ = -1;   // where :: stands, in bytes
};

bool read_port(std::string_view text, std::uint16_t& port) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc{} && end == text.data() + text.size() && (text.size() == 1 || text[0] != '0');
}

ProxyHeader parse_v1_line(std::string_view line) {
  ProxyHeader header;
  header.answer = ProxyAnswer::match;
  header.version = 1;
  header.bytes = static_cast<std::uint32_t>(line.size() + 2);
  line.remove_prefix(v1_start.size());
  const auto family = take_field(line);
  if (family == "UNKNOWN") return header;   // what follows must be ignored
  if (family != "TCP4" && family != "TCP6") return malformed(1, "the family is not TCP4, TCP6 or UNKNOWN");
  header.family = family == "TCP4" ? ProxyFamily::inet : ProxyFamily::inet6;
  for (auto* address : {&header.source, &header.destination}) {
    const auto field = take_field(line);
    if (header.family == ProxyFamily::inet ? !read_ipv4(field, *address) : !Ipv6Reader(field).read(*address))
      return malformed(1, "an address is not of the family");
  }
  for (auto* port : {&header.source_port, &header.destination_port})
    if (!read_port(take_field(line), *port)) return malformed(1, "a port is not a number from 0 to 65535");
  return line.empty() ? header : malformed(1, "there is more than two addresses and two ports");
}

ProxyHeader parse_v1(Bytes bytes) {
  const auto text = as_text(bytes.first(std::min(bytes.size(), proxy_v1_bytes_max)));
  for (std::size_t i = v1_start.size(); i < text.size(); ++i) {
    const auto c = static_cast<std::uint8_t>(text[i]);
    if (c == '\r') {
      if (i + 1 == text.size()) return i + 1 < proxy_v1_bytes_max ? need(1, i + 2) : malformed(1, "the line is longer than 107 bytes");
      return text[i + 1] == '\n' ? parse_v1_line(text.substr(0, i)) : malformed(1, "CR without LF");
    }
    if (c < 0x20 || c > 0x7e) return malformed(1, "a byte that is not printable");
  }
  return text.size() < proxy_v1_bytes_max ? need(1, text.size() + 1) : malformed(1, "the line is longer than 107 bytes");
}

bool tlvs_fit(Bytes tlvs) {
  while (!tlvs.empty()) {
    if (tlvs.size() < 3 || tlvs.size() - 3 < load_be16(tlvs, 1)) return false;
    tlvs = tlvs.subspan(std::size_t{3} + load_be16(tlvs, 1));
  }
  return true;
}

// CRC-32C over the whole header with the field's own value as zeros (section 2.2.3).
bool crc_fits(Bytes whole, Bytes tlvs) {
  while (!tlvs.empty()) {
    const Tlv tlv = next_tlv(tlvs);
    if (tlv.type != tlv_crc32c) continue;
    if (tlv.value.size() != 4) return false;
    std::array<std::uint8_t, proxy_v2_bytes_max> copy;
    std::copy(whole.begin(), whole.end(), copy.begin());
    std::fill_n(copy.begin() + (tlv.value.data() - whole.data()), 4, std::uint8_t{0});
    return crc32c(Bytes(copy).first(whole.size())) == load_be32(tlv.value, 0);
  }
  return true;
}

std::string_view read_path(Bytes field) {
  const auto text = as_text(field);
  return text.substr(0, std::min(text.find('\0'), text.size()));
}

std::size_t address_bytes(ProxyFamily family) {
  switch (family) {
    case ProxyFamily::inet: return 12;
    case ProxyFamily::inet6: return 36;
    case ProxyFamily::unix_socket: return 2 * path_bytes;
    case ProxyFamily::unspecified: break;
  }
  return 0;
}

void read_addresses(ProxyHeader& header, Bytes body) {
  if (header.family == ProxyFamily::unix_socket) {
    header.source_path = read_path(body.first(path_bytes));
    header.destination_path = read_path(body.subspan(path_bytes, path_bytes));
    return;
  }
  const std::size_t width = header.family == ProxyFamily::inet ? 4 : 16;
  const auto read = width == 4 ? [](Bytes b) { return IpAddress::v4(b); } : [](Bytes b) { return IpAddress::v6(b); };
  header.source = read(body.first(width));
  header.destination = read(body.subspan(width, width));
  header.source_port = load_be16(body, 2 * width);
  header.destination_port = load_be16(body, 2 * width + 2);
}

ProxyHeader parse_v2(Bytes b) {
  if (b.size() > 12 && b[12] != 0x20 && b[12] != 0x21) return malformed(2, "the version is not 2, or the command neither LOCAL nor PROXY");
  if (b.size() > 13 && (b[13] >> 4 > 3 || (b[13] & 15) > 2)) return malformed(2, "the address family or transport is not defined");
  if (b.size() < v2_fixed_bytes) return need(2, std::max<std::size_t>(13, b.size() + 1));
  const std::size_t length = load_be16(b, 14), total = v2_fixed_bytes + length;
  if (total > proxy_v2_bytes_max) return malformed(2, "longer than 4096 bytes behind the first 16");
  ProxyHeader header;
  header.version = 2;
  header.local = b[12] == 0x20;
  header.stream = (b[13] & 15) != 2;
  const auto family = (b[13] & 15) == 0 ? ProxyFamily::unspecified : static_cast<ProxyFamily>(b[13] >> 4);
  header.family = header.local ? ProxyFamily::unspecified : family;   // LOCAL: the receiver must ignore the addresses
  if (!header.local && length < address_bytes(family)) return malformed(2, "the length is shorter than the family's addresses");
  if (b.size() < total) return need(2, total);
  const Bytes body = b.subspan(v2_fixed_bytes, length);
  if (address_bytes(header.family) > 0) read_addresses(header, body);
  if (header.family != ProxyFamily::unspecified) header.tlvs = body.subspan(address_bytes(family));
  if (!tlvs_fit(header.tlvs)) return malformed(2, "a TLV is longer than the header");
  if (!crc_fits(b.first(total), header.tlvs)) return malformed(2, "the CRC-32C does not fit");
  header.answer = ProxyAnswer::match;
  header.bytes = static_cast<std::uint32_t>(total);
  return header;
}

std::size_t same_bytes(Bytes bytes, Bytes start) {
  return static_cast<std::size_t>(std::mismatch(bytes.begin(), bytes.end(), start.begin(), start.end()).first - bytes.begin());
}

class Writer {
 public:
  explicit Writer(EncodedProxyHeader& out) : out_(out) {}
  void bytes(Bytes b) {
    std::copy(b.begin(), b.end(), out_.buffer.begin() + static_cast<std::ptrdiff_t>(out_.size));
    out_.size += b.size();
  }
  void text(std::string_view t) { bytes(as_bytes(t)); }
  void be16(std::size_t v) { bytes(std::array{static_cast<std::uint8_t>(v >> 8), static_cast<std::uint8_t>(v)}); }

 private:
  EncodedProxyHeader& out_;
};

}  // namespace

ProxyHeader parse_proxy_header(Bytes bytes) {
  if (bytes.empty()) return need(0, 1);
  const bool first = bytes[0] == 'P';
  const Bytes start = first ? as_bytes(v1_start) : Bytes(v2_signature);
  const std::size_t same = same_bytes(bytes, start);
  if (same < start.size()) return same == bytes.size() ? need(0, same + 1) : ProxyHeader{};
  return first ? parse_v1(bytes) : parse_v2(bytes);
}

Tlv next_tlv(Bytes& tlvs) {
  const Tlv tlv{tlvs[0], tlvs.subspan(3, load_be16(tlvs, 1))};
  tlvs = tlvs.subspan(3 + tlv.value.size());
  return tlv;
}

EncodedProxyHeader encode_proxy_v1(const ProxyAddresses& a) {
  EncodedProxyHeader out;
  Writer write(out);
  const bool v4 = a.source.is_v4() && a.destination.is_v4();
  // to_string() writes a mapped address as IPv4, which TCP6 does not allow.
  const auto print = [&](const IpAddress& ip) { return (ip.is_v4() && !v4 ? "::ffff:" : "") + to_string(ip); };
  write.text(v4 ? "PROXY TCP4 " : "PROXY TCP6 ");
  write.text(print(a.source) + ' ' + print(a.destination) + ' ' + std::to_string(a.source_port) + ' ' + std::to_string(a.destination_port) +
             "\r\n");
  return out;
}

EncodedProxyHeader encode_proxy_v2(const ProxyAddresses& a) {
  EncodedProxyHeader out;
  Writer write(out);
  const bool v4 = a.source.is_v4() && a.destination.is_v4();
  const std::size_t width = v4 ? 4 : 16;
  write.bytes(v2_signature);
  write.bytes(std::array<std::uint8_t, 2>{0x21, static_cast<std::uint8_t>(v4 ? 0x11 : 0x21)});
  write.be16(2 * width + 4);
  write.bytes(a.source.bytes().last(width));
  write.bytes(a.destination.bytes().last(width));
  write.be16(a.source_port);
  write.be16(a.destination_port);
  return out;
}

EncodedProxyHeader encode_proxy_v2_local() {
  EncodedProxyHeader out;
  Writer write(out);
  write.bytes(v2_signature);
  write.bytes(std::array<std::uint8_t, 4>{0x20, 0x00, 0x00, 0x00});
  return out;
}

std::vector<std::uint8_t> encode_proxy_v2(const ProxyAddresses& addresses, std::span<const Tlv> tlvs, bool with_crc32c) {
  const EncodedProxyHeader start = encode_proxy_v2(addresses);
  std::vector<std::uint8_t> out(start.bytes().begin(), start.bytes().end());
  const auto append = [&out](const Tlv& tlv) {
    out.insert(out.end(), {tlv.type, static_cast<std::uint8_t>(tlv.value.size() >> 8), static_cast<std::uint8_t>(tlv.value.size())});
    out.insert(out.end(), tlv.value.begin(), tlv.value.end());
  };
  for (const auto& tlv : tlvs) append(tlv);
  if (with_crc32c) append({tlv_crc32c, std::array<std::uint8_t, 4>{}});
  const std::size_t length = out.size() - v2_fixed_bytes;
  out[14] = static_cast<std::uint8_t>(length >> 8);
  out[15] = static_cast<std::uint8_t>(length);
  if (with_crc32c) {
    const std::uint32_t crc = crc32c(out);
    for (int i = 0; i < 4; ++i) out[out.size() - 4 + static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(crc >> (24 - 8 * i));
  }
  return out;
}

}  // namespace nlb::inspect
