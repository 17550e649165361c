#include "libnlb/capture/live.hpp"

#include <pcap/pcap.h>
#include <poll.h>

namespace nlb::capture {
namespace {

constexpr int snap_length = 65535, wait_ms = 100, buffer_bytes = 16 << 20, batch_packets = 4096;

struct Delivery {
  const std::function<void(const Packet&)>* each;
  std::uint32_t link_type;
  std::int64_t ns_per_fraction;
};

void deliver(u_char* user, const pcap_pkthdr* header, const u_char* bytes) {
  const auto& to = *reinterpret_cast<const Delivery*>(user);
  (*to.each)({{bytes, header->caplen}, header->len, to.link_type,
              std::int64_t{header->ts.tv_sec} * 1'000'000'000 + std::int64_t{header->ts.tv_usec} * to.ns_per_fraction});
}

tl::unexpected<Error> refuse(const std::string& interface, const std::string& why) {
  return fail(ErrorKind::unavailable, "cannot capture on " + interface + ": " + why +
                                          ": name an interface of `ip link` and run as root or with CAP_NET_RAW");
}

}  // namespace

struct Live::Handle {
  pcap_t* pcap = nullptr;
  std::string interface;
  std::uint32_t link_type = 1;
  std::int64_t ns_per_fraction = 1000;
  ~Handle() { if (pcap != nullptr) pcap_close(pcap); }
};

Live::Live(std::unique_ptr<Handle> handle) : handle_(std::move(handle)) {}
Live::Live(Live&&) noexcept = default;
Live::~Live() = default;

Result<Live> Live::open(const std::string& interface, const std::string& filter) {
  char why[PCAP_ERRBUF_SIZE] = {};
  auto handle = std::make_unique<Handle>();
  handle->interface = interface;
  handle->pcap = pcap_create(interface.c_str(), why);
  auto* pcap = handle->pcap;
  if (pcap == nullptr) return refuse(interface, why);
  pcap_set_snaplen(pcap, snap_length);
  pcap_set_promisc(pcap, 0);
  pcap_set_timeout(pcap, wait_ms);
  pcap_set_buffer_size(pcap, buffer_bytes);
  if (pcap_set_tstamp_precision(pcap, PCAP_TSTAMP_PRECISION_NANO) == 0) handle->ns_per_fraction = 1;
  if (const int status = pcap_activate(pcap); status < 0) return refuse(interface, *pcap_geterr(pcap) ? pcap_geterr(pcap) : pcap_statustostr(status));
  if (pcap_setnonblock(pcap, 1, why) != 0) return refuse(interface, why);
  const int link = pcap_datalink(pcap);
  handle->link_type = link == DLT_RAW ? 101 : static_cast<std::uint32_t>(link);
  if (bpf_program code{}; !filter.empty()) {
    if (pcap_compile(pcap, &code, filter.c_str(), 1, PCAP_NETMASK_UNKNOWN) != 0)
      return fail(ErrorKind::usage, "the filter '" + filter + "' is not understood: " + pcap_geterr(pcap) + ": see pcap-filter(7)");
    const int set = pcap_setfilter(pcap, &code);
    pcap_freecode(&code);
    if (set != 0) return refuse(interface, pcap_geterr(pcap));
  }
  return Live(std::move(handle));
}

Result<> Live::poll(const std::function<void(const Packet&)>& each) {
  pollfd waiting{pcap_get_selectable_fd(handle_->pcap), POLLIN, 0};   // libpcap itself would wait for packets through any signal
  ::poll(&waiting, 1, wait_ms);
  Delivery to{&each, handle_->link_type, handle_->ns_per_fraction};
  const int got = pcap_dispatch(handle_->pcap, batch_packets, deliver, reinterpret_cast<u_char*>(&to));
  if (got == PCAP_ERROR) return refuse(handle_->interface, pcap_geterr(handle_->pcap));
  return {};
}

Live::Counts Live::counts() const {
  pcap_stat stat{};
  if (pcap_stats(handle_->pcap, &stat) != 0) return {};
  return {stat.ps_recv, stat.ps_drop};
}

}  // namespace nlb::capture
