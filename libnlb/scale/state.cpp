// Decider::save and load: JSON in which every time is an age, because steady clocks differ between boots. Each class names its
// fields once, in visit(), for both directions.
#include <type_traits>

#include <nlohmann/json.hpp>

#include "libnlb/scale/decider.hpp"

namespace nlb::scale {
namespace {

using Json = nlohmann::json;
constexpr int format_version = 1;
constexpr std::size_t entries_max = 100000;

template <class T, class V>
concept Visitable = requires(T& t, V& v) { t.visit(v); };
template <class T>
concept Growable = requires(T& t) { t.push_back(t.front()); };

class Writer {
 public:
  Writer(Json& out, MonoTime now) : out_(out), now_(now) {}
  template <class T> void operator()(const char* name, T& value) { out_[name] = encode(value); }

 private:
  Json encode(MonoTime& at) const { return (now_ - at).count(); }
  Json encode(Duration& d) const { return d.count(); }
  template <class T> requires std::is_arithmetic_v<T> Json encode(T& value) const { return value; }
  template <class T> Json encode(std::optional<T>& value) const { return value ? encode(*value) : Json(nullptr); }
  template <class T> requires Visitable<T, Writer> Json encode(T& value) const {
    Json object = Json::object();
    Writer inner(object, now_);
    value.visit(inner);
    return object;
  }
  template <class T> requires(std::ranges::range<T>) Json encode(T& values) const {
    Json list = Json::array();
    for (auto& value : values) list.push_back(encode(value));
    return list;
  }
  Json& out_;
  MonoTime now_;
};

class Reader {   // throws nlohmann's exceptions; load() stops them
 public:
  Reader(const Json& in, MonoTime now) : in_(in), now_(now) {}
  template <class T> void operator()(const char* name, T& value) { decode(in_.at(name), value); }

 private:
  void decode(const Json& j, MonoTime& at) const { at = now_ - Duration(j.get<std::int64_t>()); }
  void decode(const Json& j, Duration& d) const { d = Duration(j.get<std::int64_t>()); }
  template <class T> requires std::is_arithmetic_v<T> void decode(const Json& j, T& value) const { value = j.get<T>(); }
  template <class T> void decode(const Json& j, std::optional<T>& value) const {
    if (j.is_null()) return value.reset();
    T inner{};
    decode(j, inner);
    value = inner;
  }
  template <class T> requires Visitable<T, Reader> void decode(const Json& j, T& value) const {
    Reader inner(j, now_);
    value.visit(inner);
  }
  template <class T> requires(std::ranges::range<T> && Growable<T>) void decode(const Json& j, T& values) const {
    if (!j.is_array() || j.size() > entries_max) throw std::runtime_error("a list is too long or none");
    values.clear();
    for (const auto& item : j) {
      typename T::value_type value{};
      decode(item, value);
      values.push_back(value);
    }
  }
  template <class T, std::size_t n> void decode(const Json& j, std::array<T, n>& values) const {
    if (!j.is_array() || j.size() != n) throw std::runtime_error("a list has the wrong length");
    for (std::size_t i = 0; i < n; ++i) decode(j[i], values[i]);
  }
  const Json& in_;
  MonoTime now_;
};

}  // namespace

std::string Decider::save(Now now) {
  Json json{{"version", format_version}, {"strategy", to_string(policy_.strategy)}};
  Writer write(json, now.mono);
  write("startup", startup_);
  write("freshness", freshness_);
  std::visit([&](auto& strategy) { write("state", strategy); }, strategy_);
  return json.dump();
}

Result<void> Decider::load(std::string_view text, Now now) {
  auto copy = *this;
  try {
    const auto json = Json::parse(text);
    if (json.at("version").get<int>() != format_version) return fail(ErrorKind::bad_input, "scale state: another version wrote it: it is not used");
    Reader read(json, now.mono);
    read("startup", copy.startup_);
    if (json.at("strategy").get<std::string>() == to_string(policy_.strategy)) {
      read("freshness", copy.freshness_);
      std::visit([&](auto& strategy) { read("state", strategy); }, copy.strategy_);
      if (auto* predictive = std::get_if<Predictive>(&copy.strategy_); predictive && !predictive->sound())
        return fail(ErrorKind::bad_input, "scale state: its numbers contradict each other: it is not used");
    }
  } catch (const std::exception& e) {
    return fail(ErrorKind::bad_input, std::string("scale state: damaged: ") + e.what());
  }
  *this = std::move(copy);
  return {};
}

}  // namespace nlb::scale
