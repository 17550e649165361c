#include "libnlb/daemon/clock.hpp"
#include "libnlb/daemon/handover.hpp"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <iterator>

#include <nlohmann/json.hpp>

namespace nlb::daemon::handover {

using daemon::mono_now;
namespace {

using Json = nlohmann::json;

constexpr std::size_t sockets_per_message = 100;
static_assert(sockets_per_message <= Channel::descriptors_max);

Json sockets_json(const std::vector<Socket>& sockets) {
  Json all = Json::array();
  for (const auto& socket : sockets)
    all.push_back({{"use", use_names[static_cast<std::size_t>(socket.use)]}, {"address", socket.address}, {"bound", socket.bound}});
  return all;
}

bool read_sockets(const Json& json, std::vector<Descriptor>& descriptors, std::vector<Socket>& out) {
  if (!json.is_array() || json.size() != descriptors.size()) return false;
  for (std::size_t i = 0; i < descriptors.size(); ++i) {
    const auto name = json[i].value("use", std::string());
    const auto use = std::find(std::begin(use_names), std::end(use_names), name);
    if (use == std::end(use_names)) continue;   // of a later version: closed with its message
    out.push_back({static_cast<Use>(use - std::begin(use_names)), json[i].value("address", std::string()), json[i].value("bound", std::string()),
                   std::move(descriptors[i])});
  }
  return true;
}

std::vector<int> numbers_of(const std::vector<Socket>& sockets, std::size_t from, std::size_t to) {
  std::vector<int> numbers;
  for (; from < to; ++from) numbers.push_back(sockets[from].descriptor.get());
  return numbers;
}

}  // namespace

std::string text_of(const Word& word) {
  Json json = {{"word", word.word}, {"protocol", protocol}, {"pid", word.pid != 0 ? word.pid : getpid()}, {"version", NLB_VERSION}};
  if (!word.reason.empty()) json["reason"] = word.reason;
  if (word.word == "sessions") json["sessions"] = word.sessions;
  if (word.word == "offer" || !word.sockets.empty()) json["sockets"] = sockets_json(word.sockets);
  if (word.more) json["more"] = true;
  if (word.word == "serving") json["taken"] = {{"traffic", word.taken.traffic}, {"admin", word.taken.admin}, {"endpoint", word.taken.endpoint}};
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Word read_word(Channel::Message message) {
  Word word;
  try {
    const auto json = Json::parse(message.text);
    word.pid = json.value("pid", 0);
    word.protocol = json.value("protocol", 0);
    word.version = json.value("version", std::string());
    word.reason = json.value("reason", std::string());
    word.sessions = json.value("sessions", std::uint64_t{0});
    word.more = json.value("more", false);
    if (json.contains("taken")) {
      const auto& taken = json.at("taken");
      word.taken = {taken.value("traffic", std::vector<std::string>()), taken.value("admin", false), taken.value("endpoint", false)};
    }
    if (json.contains("sockets") && !read_sockets(json.at("sockets"), message.descriptors, word.sockets)) return {};
    word.word = json.value("word", std::string());
  } catch (const Json::exception&) {
    return {};
  }
  return word;
}

Result<> say(Channel& channel, const Word& word, Duration patience) {
  return channel.send(text_of(word), numbers_of(word.sockets, 0, word.sockets.size()), patience);
}

Result<Word> await(Channel& channel, std::string_view wanted, Duration patience) {
  const auto until = mono_now() + patience;
  for (;;) {
    auto message = channel.receive(std::max<Duration>(until - mono_now(), Duration::zero()));
    if (!message) return tl::unexpected(message.error());
    auto word = read_word(std::move(*message));
    if (word.word == wanted) return word;
    if (word.word == "refused") return fail(ErrorKind::refused, word.reason);
  }
}

Result<> send_offer(Channel& channel, const std::vector<Socket>& sockets) {
  if (sockets.size() > sockets_max)
    return fail(ErrorKind::refused, std::to_string(sockets.size()) + " listening sockets are too many to be handed over: " +
                                        std::to_string(sockets_max) + " at most");
  std::size_t at = 0;
  do {
    const auto end = std::min(sockets.size(), at + sockets_per_message);
    Word part;
    part.word = "offer";
    part.more = end < sockets.size();
    for (std::size_t i = at; i < end; ++i) part.sockets.push_back({sockets[i].use, sockets[i].address, sockets[i].bound, Descriptor()});
    if (auto sent = channel.send(text_of(part), numbers_of(sockets, at, end), answer_timeout); !sent) return sent;
    at = end;
  } while (at < sockets.size());
  return {};
}

Result<std::vector<Socket>> await_offer(Channel& channel, Duration patience) {
  std::vector<Socket> all;
  for (bool more = true; more;) {
    auto part = await(channel, "offer", patience);
    if (!part) return tl::unexpected(part.error());
    if (part->protocol != protocol)
      return fail(ErrorKind::refused, "the running process " + std::to_string(part->pid) + " (version " + part->version +
                                          ") hands over in another way than this one: end it and start anew");
    std::move(part->sockets.begin(), part->sockets.end(), std::back_inserter(all));
    more = part->more;
    if (all.size() > sockets_max) return fail(ErrorKind::bad_input, "the running process offers too many sockets");
  }
  return all;
}

Result<Socket> write_notes(std::string name, std::string_view bytes) {
  Descriptor file(memfd_create(name.c_str(), MFD_CLOEXEC));
  if (!file || bytes.size() > notes_bytes_max) return fail(ErrorKind::unavailable, "the notes " + name + " can't be written");
  while (!bytes.empty()) {
    const auto written = write(file.get(), bytes.data(), bytes.size());
    if (written <= 0) return fail(ErrorKind::unavailable, "the notes " + name + " can't be written");
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return Socket{Use::notes, std::move(name), "", std::move(file)};
}

Result<std::string> read_notes(const Socket& notes) {
  struct stat found{};
  if (fstat(notes.descriptor.get(), &found) != 0 || static_cast<std::uint64_t>(found.st_size) > notes_bytes_max)
    return fail(ErrorKind::unavailable, "the notes " + notes.address + " can't be read");
  std::string bytes(static_cast<std::size_t>(found.st_size), '\0');
  std::size_t at = 0;
  while (at < bytes.size()) {
    const auto got = pread(notes.descriptor.get(), bytes.data() + at, bytes.size() - at, static_cast<off_t>(at));
    if (got <= 0) return fail(ErrorKind::unavailable, "the notes " + notes.address + " can't be read");
    at += static_cast<std::size_t>(got);
  }
  return bytes;
}

Result<Heir> Heir::begin(Channel channel) {
  Heir heir(std::move(channel));
  Word hello;
  hello.word = "hello";
  if (auto said = say(heir.channel_, hello); !said) return tl::unexpected(said.error());
  auto sockets = await_offer(heir.channel_, answer_timeout);
  if (!sockets) return tl::unexpected(sockets.error());
  heir.sockets_ = std::move(*sockets);
  return heir;
}

Result<> Heir::release(Duration patience) {
  Word release;
  release.word = "release";
  if (auto said = say(channel_, release); !said) return said;
  auto released = await(channel_, "released", patience);
  if (!released) return tl::unexpected(released.error());
  predecessor_ = released->pid;
  return {};
}

Result<std::vector<Socket>> Heir::serve(const Taken& taken) {
  Word serving;
  serving.word = "serving";
  serving.taken = taken;
  if (auto said = say(channel_, serving); !said) return tl::unexpected(said.error());
  auto draining = await(channel_, "draining", answer_timeout);
  if (!draining) return tl::unexpected(draining.error());
  return std::move(draining->sockets);
}

}  // namespace nlb::daemon::handover
