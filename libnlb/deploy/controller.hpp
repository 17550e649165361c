// The rollout controller: owns every service's rollout, drives it with commands and news, journals, then acts.
//
// One order everywhere: change the value in memory, write it to the store (with the answer to the command that caused it, and a line of
// history), publish. If the write fails nothing is published: a command's change is taken back; a change of the controller's own stays
// pending and is written again before anything else happens, so that an alarm can't be forgotten because a disk was full. After a crash
// open() reads the store and publishes everything again; actions are whole states, so twice is the same as once.
//
// A command's answer is kept under its request id: the same id again gets the same answer, also after a restart.
// Several copies on one store: every write carries the leader's fence; the older one's writes are refused (conflict), and then it must
// be thrown away. Belongs to one thread; blocks only for the store.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "libnlb/deploy/deployment.hpp"
#include "libnlb/deploy/news.hpp"
#include "libnlb/metrics/exposition.hpp"
#include "libnlb/store/store.hpp"

namespace nlb::deploy {

inline constexpr std::size_t answers_max = 1000;         // request ids remembered
inline constexpr std::size_t history_lines_max = 10000;  // of all services
inline constexpr Duration checkpoint_interval = std::chrono::seconds(5);   // of the judge; losing it only delays
inline constexpr Duration hold_lease = std::chrono::seconds(30);

struct Outlet {                                          // the bus, or a test
  std::function<void(const std::string& topic, const std::string& payload)> publish;
  std::function<void(const std::string& topic)> withdraw;
  std::function<void(const std::string& service, const std::string& text)> announce;   // for people: the log and `events`
};

struct Settings {
  rollout::JudgeOptions judge;                           // alpha and r0 of the configuration; signals are default_signals()
  Duration keep_warm = std::chrono::minutes(10);
  std::uint64_t epoch = 1;                               // this controller's fencing token
  std::optional<store::Condition> fence;                 // what every write is under; none: the store has one owner
  std::function<std::uint64_t()> random;                 // for salts
  std::function<WallTime()> wall;                        // for people only
};

class Controller {
 public:
  // Reads all there is and publishes it under the new epoch. Errors: the store's, bad_input for a record that can't be read.
  static Result<std::unique_ptr<Controller>> open(store::Store& store, Settings settings, Outlet outlet, MonoTime now);

  // What the store holds, for who asks while no controller runs: nothing is written or published.
  static Result<std::unique_ptr<Controller>> read(store::Store& store, MonoTime now);

  void hear(const bus::Change& change, MonoTime now) { news_.hear(change, now); }
  Result<> tick(MonoTime now);                           // once a second. conflict: another copy leads; else: the store refuses, try on

  // Refusals that the state explains are answers (accepted false); errors: usage (names the field), not_found, unavailable (the store).
  using Reply = Result<v1::CommandReply>;
  Reply init(const v1::InitRequest& request, MonoTime now);
  Reply switch_over(const v1::SwitchRequest& request, MonoTime now);
  Reply start(const v1::StartCanaryRequest& request, MonoTime now);
  Reply control(const v1::ControlCanaryRequest& request, MonoTime now);
  Reply rollback(const v1::RollbackRequest& request, MonoTime now);
  Reply set_weight(const v1::SetWeightRequest& request, MonoTime now);
  Reply undo(const v1::UndoRequest& request, MonoTime now);

  Result<v1::DeployStatus> get(const std::string& service, MonoTime now) const;   // not_found
  std::vector<v1::DeployStatus> list(MonoTime now) const;
  v1::DeployHistoryReply history(const std::string& service, std::size_t limit) const;
  Result<v1::ExplainDeployReply> explain(const std::string& service, MonoTime now) const;
  void collect(metrics::Snapshot& into) const;
  std::string status_json(MonoTime now) const;
  std::uint64_t changes() const { return changes_; }     // grows with every change that a watcher should see at once
  bool pending() const { return !unwritten_.empty(); }   // the store refuses: nothing moves
  // Judge and keep_warm for rollouts that start from now on.
  void adopt(const Settings& fresh) { settings_.judge = fresh.judge; settings_.keep_warm = fresh.keep_warm; }
  Result<> save(MonoTime now);                           // the judges' state, before an orderly end

 private:
  struct Line { std::string verb, text, actor, request_id, id; std::uint64_t revision = 0; };
  struct Unwritten { std::string service; rollout::Decision decision; };
  Controller(store::Store& store, Settings settings, Outlet outlet);
  Result<> load(MonoTime now);
  Result<> take_over(MonoTime now);
  Reply run(const v1::CommandHead& head, const std::string& service, const rollout::Command& command, const std::string& text, MonoTime now,
            const std::function<void(Deployment&)>& before = {});
  Reply refused(const v1::CommandHead& head, const std::string& service, const Error& why);
  std::optional<v1::CommandReply> answered(const v1::CommandHead& head) const;
  Result<> write(const Deployment& deployment, const Line& line, const v1::CommandReply* answer, MonoTime now);
  Result<> commit(store::Transaction transaction);
  void remember(const std::string& request_id, const v1::CommandReply& answer, store::Transaction& transaction);
  void act(Deployment& deployment, const rollout::Decision& decision);
  void note(Deployment& deployment, const rollout::Decision& decision);   // what the record says besides the rollout
  Result<> step(Deployment& deployment, MonoTime now);
  void keep_holds(MonoTime now);
  void add_line(const std::string& service, const Line& line, std::int64_t at_unix_ms);
  void publish(const Deployment& deployment, MonoTime now);
  v1::CommandReply reply_for(const Deployment& deployment) const;
  Result<Deployment*> find(const std::string& service);
  rollout::Plan plan_of(const std::string& to) const;
  std::int64_t unix_ms() const;

  store::Store& store_;
  Settings settings_;
  Outlet outlet_;
  News news_;
  std::map<std::string, Deployment> deployments_;
  std::map<std::string, v1::CommandReply> answers_;      // by request id
  std::deque<std::string> answer_order_;                 // oldest first
  std::deque<v1::HistoryEntry> history_;                 // oldest first
  std::deque<Unwritten> unwritten_;
  std::map<std::string, std::uint32_t> held_;            // service to the weight that capacity is held for
  MonoTime checkpointed_{}, held_at_{};
  std::uint64_t changes_ = 0;
};

bool is_service_name(std::string_view name);             // may be part of a topic and a key

}  // namespace nlb::deploy
