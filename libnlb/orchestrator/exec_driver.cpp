#include "libnlb/orchestrator/exec_driver.hpp"

#include <array>

#include <nlohmann/json.hpp>

#include "libnlb/orchestrator/spawn.hpp"

namespace nlb::orchestrator {
namespace {

using nlohmann::json;

std::string last_line(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text.substr(text.rfind('\n') + 1).substr(0, 500);
}

std::string text_of(const json& object, const char* key) {
  return object.is_object() && object.contains(key) && object[key].is_string() ? object[key].get<std::string>() : std::string();
}

ErrorKind kind_of(const std::string& word) {
  return word == "conflict" ? ErrorKind::conflict : word == "refused" ? ErrorKind::refused : ErrorKind::unavailable;
}

Result<json> ask(const ExecOptions& options, json question, MonoTime deadline) {
  question["service"] = options.service;
  question["version"] = options.version;
  std::map<std::string, std::string> values;
  auto environment = options.environment;
  for (const auto& [key, value] : question.items()) {
    values[key] = value.is_string() ? value.get<std::string>() : value.dump();
    std::string name = "NLB_" + key;
    for (char& c : name) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    environment[name] = values[key];
  }
  const auto what = "command '" + options.command[0] + "' (" + values["action"] + ")";
  auto done = run_to_end(replaced(options.command, values), std::move(environment), question.dump() + "\n", deadline);
  if (!done) return tl::unexpected(Error{done.error().kind, what + ": " + done.error().text});
  auto answer = done->out.find_first_not_of(" \t\r\n") == std::string::npos ? json::object() : json::parse(done->out, nullptr, false);
  if (const auto error = text_of(answer, "error"); !error.empty()) return fail(kind_of(error), what + ": " + text_of(answer, "text"));
  if (done->how != "exit code 0") return fail(ErrorKind::unavailable, what + " ended with " + done->how + ": " + last_line(done->err));
  if (!answer.is_object()) return fail(ErrorKind::bad_input, what + " printed no JSON object: print {} at least, and other words to stderr");
  return answer;
}

Result<Instance> instance_of(const json& entry, const std::string& version) {
  constexpr std::array states = {InstanceState::starting, InstanceState::ready, InstanceState::stopping, InstanceState::failed};
  Instance out;
  out.id = text_of(entry, "id");
  out.version = version;
  out.address = text_of(entry, "address");
  out.reason = text_of(entry, "reason");
  const auto word = text_of(entry, "state");
  for (const auto state : states)
    if (to_string(state) == word && !out.id.empty()) {
      out.state = state;
      return out;
    }
  return fail(ErrorKind::bad_input, "the command lists an instance with id '" + out.id + "' and state '" + word + "': print an id, and starting, ready, stopping or failed");
}

Result<> nothing_more(const Result<json>& answer) { return answer ? Result<>() : tl::unexpected(answer.error()); }

}  // namespace

Result<Observation> ExecDriver::observe(MonoTime deadline) {
  const auto answer = ask(options_, {{"action", "observe"}}, deadline);
  if (!answer) return tl::unexpected(answer.error());
  if (!answer->contains("instances") || !(*answer)["instances"].is_array())
    return fail(ErrorKind::bad_input, "the command's answer to observe has no list 'instances': print {\"instances\": [...]}");
  Observation out;
  for (const auto& entry : (*answer)["instances"]) {
    auto one = instance_of(entry, options_.version);
    if (!one) return tl::unexpected(one.error());
    out.instances.push_back(std::move(*one));
  }
  out.token = text_of(*answer, "token");
  const bool says = answer->contains("desired") && (*answer)["desired"].is_number_unsigned();
  out.desired = says ? (*answer)["desired"].get<std::uint32_t>() : out.live();
  return out;
}

Result<> ExecDriver::set(std::uint32_t count, const std::string& token, MonoTime deadline) {
  return nothing_more(ask(options_, {{"action", "set"}, {"count", count}, {"token", token}}, deadline));
}

Result<> ExecDriver::remove(const std::string& instance, Duration grace, MonoTime deadline) {
  return nothing_more(ask(options_, {{"action", "remove"}, {"instance", instance}, {"grace_seconds", std::chrono::ceil<std::chrono::seconds>(grace).count()}}, deadline));
}

}  // namespace nlb::orchestrator
