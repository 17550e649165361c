#include "libnlb/capture/filter.hpp"

#include <pcap/pcap.h>

namespace nlb::capture {
namespace {

constexpr int snap_length = 262144;

int libpcap_number(std::uint32_t link_type) {   // LINKTYPE_ and DLT_ values differ for raw IP only, among those we decode
  return link_type == 101 ? DLT_RAW : static_cast<int>(link_type);
}

}  // namespace

struct Filter::Program {
  std::uint32_t link_type = 0;
  bpf_program code{};
  bool usable = false;
  Program() = default;
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;
  ~Program() { if (usable) pcap_freecode(&code); }
};

Filter::Filter() = default;
Filter::Filter(Filter&&) noexcept = default;
Filter::~Filter() = default;

Result<Filter> Filter::compile(const std::string& expression) {
  Filter filter;
  filter.expression_ = expression;
  if (expression.empty()) return filter;
  if (const auto first = filter.for_link(DLT_EN10MB); !first) return tl::unexpected<Error>(first.error());
  return filter;
}

Result<const Filter::Program*> Filter::for_link(std::uint32_t link_type) {
  for (const auto& program : programs_)
    if (program->link_type == link_type) return program.get();
  auto program = std::make_unique<Program>();
  program->link_type = link_type;
  const std::unique_ptr<pcap_t, decltype(&pcap_close)> handle(pcap_open_dead(libpcap_number(link_type), snap_length), pcap_close);
  std::string why = "libpcap has no such link type";
  if (handle) {
    program->usable = pcap_compile(handle.get(), &program->code, expression_.c_str(), 1, PCAP_NETMASK_UNKNOWN) == 0;
    if (!program->usable) why = pcap_geterr(handle.get());
  }
  programs_.push_back(std::move(program));
  if (!programs_.back()->usable) return fail(ErrorKind::usage, "the filter '" + expression_ + "' is not understood: " + why + ": see pcap-filter(7)");
  return programs_.back().get();
}

bool Filter::passes(const Packet& packet) {
  if (expression_.empty()) return true;
  const auto program = for_link(packet.link_type);
  if (!program || !(*program)->usable) return false;
  pcap_pkthdr header{};
  header.caplen = static_cast<bpf_u_int32>(packet.bytes.size());
  header.len = packet.original_length;
  return pcap_offline_filter(&(*program)->code, &header, packet.bytes.data()) != 0;
}

}  // namespace nlb::capture
