#include "libnlb/deploy/controller.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "libnlb/bus/codec_topic.hpp"

namespace nlb::deploy {
namespace {

using rollout::ActionKind;
using rollout::Decision;
using rollout::Phase;

constexpr const char* service_prefix = "service/";
constexpr const char* answer_prefix = "answer/";

std::string version_of(const std::string& json, std::string& text, std::string& actor, std::string& id, std::uint64_t& revision, std::string& service) {
  const auto body = nlohmann::json::parse(json, nullptr, false);
  if (!body.is_object()) return {};
  text = body.value("text", "");
  actor = body.value("actor", "");
  id = body.value("id", "");
  service = body.value("service", "");
  revision = body.value("revision", std::uint64_t{0});
  return body.value("verb", "");
}


}  // namespace

bool is_service_name(std::string_view name) { return name.size() <= 200 && name.find('/') == std::string_view::npos && bus::is_topic(name); }

Controller::Controller(store::Store& store, Settings settings, Outlet outlet)
    : store_(store), settings_(std::move(settings)), outlet_(std::move(outlet)) {}

Result<std::unique_ptr<Controller>> Controller::open(store::Store& store, Settings settings, Outlet outlet, MonoTime now) {
  std::unique_ptr<Controller> made(new Controller(store, std::move(settings), std::move(outlet)));
  if (auto loaded = made->load(now); !loaded) return tl::unexpected(loaded.error());
  if (auto taken = made->take_over(now); !taken) return tl::unexpected(taken.error());
  return made;
}

Result<std::unique_ptr<Controller>> Controller::read(store::Store& store, MonoTime now) {
  std::unique_ptr<Controller> made(new Controller(store, {}, {}));
  if (auto loaded = made->load(now); !loaded) return tl::unexpected(loaded.error());
  return made;
}

std::int64_t Controller::unix_ms() const {
  return std::chrono::duration_cast<std::chrono::milliseconds>(settings_.wall().time_since_epoch()).count();
}

Result<> Controller::load(MonoTime now) {
  auto records = store_.journal(1, history_lines_max);
  for (std::uint64_t from = 1; records && !records->empty(); records = store_.journal(from, history_lines_max)) {
    for (const auto& record : *records) {
      Line line;
      std::string service;
      line.verb = version_of(record.body, line.text, line.actor, line.id, line.revision, service);
      line.request_id = record.command;
      add_line(service, line, std::chrono::duration_cast<std::chrono::milliseconds>(record.at_wall.time_since_epoch()).count());
      from = record.seq + 1;
    }
    if (history_.size() == history_lines_max)
      if (auto trimmed = store_.trim_journal(from > history_lines_max ? from - history_lines_max : 1); !trimmed) return trimmed;
  }
  if (!records) return tl::unexpected(records.error());
  auto answers = store_.range(answer_prefix);
  if (!answers) return tl::unexpected(answers.error());
  std::sort(answers->entries.begin(), answers->entries.end(), [](const auto& a, const auto& b) { return a.modified < b.modified; });
  for (const auto& entry : answers->entries) {
    v1::CommandReply reply;
    if (!reply.ParseFromString(entry.value)) continue;
    answer_order_.push_back(entry.key.substr(std::string_view(answer_prefix).size()));
    answers_[answer_order_.back()] = std::move(reply);
  }
  auto services = store_.range(service_prefix);
  if (!services) return tl::unexpected(services.error());
  for (const auto& entry : services->entries) {
    auto deployment = deployment_from_json(entry.value, now);
    if (!deployment) return fail(deployment.error().kind, entry.key + ": " + deployment.error().text);
    const auto name = deployment->service();
    deployments_[name] = std::move(*deployment);
  }
  return {};
}

// Everything is said again under the new epoch, because nobody knows what the controller before got to say.
Result<> Controller::take_over(MonoTime now) {
  for (auto& [name, kept] : deployments_) {
    const auto decision = kept.rollout.resume(now, settings_.epoch);
    if (auto written = write(kept, {"resume", "a controller took over at " + std::string(to_string(kept.rollout.phase())), "", "", kept.rollout_id, kept.rollout.revision()}, nullptr, now); !written)
      return written;
    act(kept, decision);
    publish(kept, now);
  }
  return {};
}

Result<> Controller::commit(store::Transaction transaction) {
  if (settings_.fence) transaction.when.push_back(*settings_.fence);
  if (auto done = store_.commit(transaction); !done) return tl::unexpected(done.error());
  return {};
}

void Controller::remember(const std::string& request_id, const v1::CommandReply& answer, store::Transaction& transaction) {
  transaction.then.push_back(store::put_of(answer_prefix + request_id, answer.SerializeAsString()));
  if (answer_order_.size() >= answers_max) transaction.then.push_back(store::remove_of(answer_prefix + answer_order_.front()));
}

void Controller::add_line(const std::string& service, const Line& line, std::int64_t at_unix_ms) {
  v1::HistoryEntry entry;
  entry.set_revision(line.revision);
  entry.set_at_unix_ms(at_unix_ms);
  entry.set_verb(line.verb);
  entry.set_service(service);
  entry.set_text(line.text);
  entry.set_actor(line.actor);
  entry.set_request_id(line.request_id);
  entry.set_id(line.id);
  history_.push_back(std::move(entry));
  if (history_.size() > history_lines_max) history_.pop_front();
}

// State, history and answer in one transaction: after a crash there is all of it or nothing.
Result<> Controller::write(const Deployment& deployment, const Line& line, const v1::CommandReply* answer, MonoTime now) {
  store::Transaction transaction;
  transaction.then.push_back(store::put_of(service_prefix + deployment.service(), to_json(deployment, now)));
  if (answer != nullptr) remember(line.request_id, *answer, transaction);
  const nlohmann::json body = {{"service", deployment.service()}, {"verb", line.verb}, {"text", line.text},
                               {"actor", line.actor}, {"id", line.id}, {"revision", line.revision}};
  transaction.journal.push_back({0, now, settings_.wall(), line.request_id, line.verb,
                                 body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)});
  if (auto done = commit(std::move(transaction)); !done) return done;
  if (answer != nullptr) {
    if (answer_order_.size() >= answers_max) {
      answers_.erase(answer_order_.front());
      answer_order_.pop_front();
    }
    answer_order_.push_back(line.request_id);
    answers_[line.request_id] = *answer;
  }
  add_line(deployment.service(), line, unix_ms());
  ++changes_;
  return {};
}

Result<Deployment*> Controller::find(const std::string& service) {
  const auto found = deployments_.find(service);
  if (found != deployments_.end()) return &found->second;
  std::string known;
  for (const auto& [name, each] : deployments_) known += (known.empty() ? "" : ", ") + name;
  return fail(ErrorKind::not_found, "service " + service + " isn't known: " + (known.empty() ? "no service was initialised" : "there are " + known) +
                                        ": nlb-deploy init " + service + " --stable VERSION");
}

void Controller::publish(const Deployment& deployment, MonoTime now) {
  outlet_.publish(bus::make_topic("splits", {deployment.service()}), split_message(deployment).SerializeAsString());
  if (deployment.rollout.revision() > 0)
    outlet_.publish(bus::make_topic("rollouts", {deployment.service()}), rollout_message(deployment, news_, now).SerializeAsString());
}

// What a decision changes in the record itself; done before it is written.
void Controller::note(Deployment& deployment, const Decision& decision) {
  for (const auto& action : decision.actions) {
    if (action.kind == ActionKind::eject_replica) deployment.ejected.push_back(action.text);
    if (action.kind == ActionKind::announce && (action.text == "promoted" || action.text == "rolled_back")) ++deployment.ended[action.text];
  }
}

void Controller::act(Deployment& deployment, const Decision& decision) {
  const auto& service = deployment.service();
  bool split = false;
  for (const auto& action : decision.actions) {
    switch (action.kind) {
      case ActionKind::publish_split:
      case ActionKind::eject_replica: split = true; break;
      case ActionKind::ask_capacity: held_[service] = action.weight; break;
      case ActionKind::release_capacity:
        if (held_.erase(service) > 0) outlet_.withdraw(bus::make_topic("holds", {service}));
        break;
      case ActionKind::retire_version: outlet_.announce(service, "version " + action.text + " is no longer kept warm"); break;
      case ActionKind::announce: outlet_.announce(service, action.text); break;
    }
  }
  if (split) outlet_.publish(bus::make_topic("splits", {service}), split_message(deployment).SerializeAsString());
  held_at_ = MonoTime{};   // say holds at the next tick
}

void Controller::keep_holds(MonoTime now) {
  if (held_at_ != MonoTime{} && now - held_at_ < hold_lease / 3) return;
  held_at_ = now;
  for (const auto& [service, weight] : held_) {
    const auto& deployment = deployments_.at(service);
    const auto& stable = deployment.rollout.plan().stable;
    const auto replicas = news_.scaled(service) ? news_.ready(service, stable) : news_.healthy(service, stable, now).value_or(1);
    outlet_.publish(bus::make_topic("holds", {service}), hold_message(deployment, weight, std::max(1u, replicas), hold_lease).SerializeAsString());
  }
}

Result<> Controller::step(Deployment& deployment, MonoTime now) {
  const auto sites = news_.sites(deployment.rollout, deployment.per_connection, now);
  const auto before = deployment.rollout.phase();
  const auto reason_before = deployment.rollout.reason();
  auto decision = deployment.rollout.step(now, sites);
  if (auto halves = news_.halves(deployment.service()); !halves.signals.empty()) {
    const auto second = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
    if (const auto ratio = deployment.aa.book(second, std::move(halves))) {
      auto raised = deployment.rollout.tolerate(*ratio);
      decision.journal |= raised.journal;
      decision.actions.insert(decision.actions.end(), raised.actions.begin(), raised.actions.end());
    }
  }
  if (!decision.journal) {
    act(deployment, decision);
    return {};
  }
  note(deployment, decision);
  unwritten_.push_back({deployment.service(), std::move(decision)});
  const auto phase = deployment.rollout.phase();
  Line line{std::string(to_string(phase)), phase == before ? "at " : std::string(to_string(before)) + " to ", "", "", deployment.rollout_id, deployment.rollout.revision()};
  line.text += std::string(to_string(phase)) + ", weight " + rollout::format_percent(deployment.rollout.weight()) + " %";
  if (deployment.rollout.reason() != reason_before) line.text += ": " + deployment.rollout.reason();
  if (auto written = write(deployment, line, nullptr, now); !written) return written;
  act(deployment, unwritten_.back().decision);
  unwritten_.pop_back();
  return {};
}

Result<> Controller::tick(MonoTime now) {
  while (!unwritten_.empty()) {   // what the store refused comes first, and alone
    auto& deployment = deployments_.at(unwritten_.front().service);
    const Line line{std::string(to_string(deployment.rollout.phase())), deployment.rollout.reason(), "", "", deployment.rollout_id, deployment.rollout.revision()};
    if (auto written = write(deployment, line, nullptr, now); !written) return written;
    act(deployment, unwritten_.front().decision);
    unwritten_.pop_front();
  }
  for (auto& [name, deployment] : deployments_)
    if (auto stepped = step(deployment, now); !stepped) return stepped;
  keep_holds(now);
  for (const auto& [name, deployment] : deployments_)
    if (deployment.rollout.revision() > 0)
      outlet_.publish(bus::make_topic("rollouts", {name}), rollout_message(deployment, news_, now).SerializeAsString());
  if (now - checkpointed_ < checkpoint_interval) return {};
  checkpointed_ = now;
  return save(now);
}

Result<> Controller::save(MonoTime now) {
  if (pending()) return {};
  for (const auto& [name, deployment] : deployments_) {
    if (deployment.rollout.revision() == 0 || deployment.rollout.phase() == Phase::idle) continue;
    if (auto saved = commit({{}, {store::put_of(service_prefix + name, to_json(deployment, now))}, {}}); !saved) return saved;
  }
  return {};
}

}  // namespace nlb::deploy
