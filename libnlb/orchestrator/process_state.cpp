#include "libnlb/orchestrator/process_state.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>

#include <nlohmann/json.hpp>

namespace nlb::orchestrator {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(ProcessRecord, id, index, pid, started, port, restarts, ready, stopping)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(ProcessState, boot, generation, next_number, desired, processes)

Result<ProcessState> load_process_state(const std::string& path) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return ProcessState{};
  try {
    std::ifstream file(path);
    return nlohmann::json::parse(file).get<ProcessState>();
  } catch (const nlohmann::json::exception& error) {
    return fail(ErrorKind::bad_input, "can't read the state of started processes in " + path + ": " + error.what() +
                                          ": stop the processes it names and remove the file");
  }
}

Result<> save_process_state(const std::string& path, const ProcessState& state) {
  const auto fresh = path + ".new";
  std::ofstream file(fresh, std::ios::trunc);
  file << nlohmann::json(state).dump() << '\n';
  file.close();
  if (file && std::rename(fresh.c_str(), path.c_str()) == 0) return {};
  return fail(ErrorKind::unavailable, "can't write " + path + ": " + std::strerror(errno) + ": make room or correct its permissions");
}

}  // namespace nlb::orchestrator
