#include "tools/nlb-registry/load_probe.hpp"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <optional>
#include <sstream>

namespace nlb::registrar {

namespace {

std::string first_bytes(const std::string& path) {
  std::ifstream file(path);
  std::string text(load_file_bytes_max, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  return text;
}

struct ProcessTimes { double cpu_seconds = 0; std::uint64_t memory_pages = 0; };

// utime, stime, those of children that were waited for, and rss: fields 14 to 17 and 24 of /proc/PID/stat, counted after the name, which
// may hold spaces (proc(5)).
std::optional<ProcessTimes> read_process(pid_t process) {
  const auto text = first_bytes("/proc/" + std::to_string(process) + "/stat");
  const auto name_end = text.rfind(')');
  if (name_end == std::string::npos) return std::nullopt;
  std::istringstream fields(text.substr(name_end + 1));
  std::string word;
  ProcessTimes times;
  for (int field = 3; field <= 24 && fields >> word; ++field) {
    if (field >= 14 && field <= 17) times.cpu_seconds += std::strtod(word.c_str(), nullptr) / static_cast<double>(sysconf(_SC_CLK_TCK));
    if (field == 24) times.memory_pages = std::strtoull(word.c_str(), nullptr, 10);
  }
  return times;
}

}  // namespace

v1::Load parse_load(const std::string& text) {
  v1::Load load;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string name;
    double value = 0;
    if (!(words >> name >> value) || value < 0) continue;
    if (name == "cpu_percent") load.set_cpu_percent(value);
    if (name == "memory_percent") load.set_memory_percent(value);
    if (name == "requests_per_second") load.set_requests_per_second(value);
    if (name == "errors_per_second") load.set_errors_per_second(value);
    if (name == "connections") load.set_connections(static_cast<std::uint32_t>(std::min<double>(value, std::numeric_limits<std::uint32_t>::max())));
  }
  return load;
}

v1::Load LoadProbe::sample(pid_t process, MonoTime now) {
  auto load = file_.empty() ? v1::Load() : parse_load(first_bytes(file_));
  if (process > 0) add_process(load, process, now);
  return load;
}

void LoadProbe::add_process(v1::Load& load, pid_t process, MonoTime now) {
  const auto times = read_process(process);
  if (!times) return;
  const auto seconds = to_seconds(now - at_) * static_cast<double>(std::max(1L, sysconf(_SC_NPROCESSORS_ONLN)));
  if (at_ != MonoTime{} && seconds > 0 && !load.has_cpu_percent())
    load.set_cpu_percent(std::clamp(100 * (times->cpu_seconds - cpu_seconds_) / seconds, 0.0, 100.0));
  if (!load.has_memory_percent())
    load.set_memory_percent(100 * static_cast<double>(times->memory_pages) / static_cast<double>(std::max(1L, sysconf(_SC_PHYS_PAGES))));
  cpu_seconds_ = times->cpu_seconds;
  at_ = now;
}

}  // namespace nlb::registrar
