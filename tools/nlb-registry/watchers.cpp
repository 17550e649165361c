#include "tools/nlb-registry/watchers.hpp"

#include <array>
#include <utility>

#include "libnlb/bus/records.hpp"

namespace nlb::registrar {

namespace {

std::shared_ptr<v1::ModuleChange> change_of(v1::ModuleChange::Kind kind, std::uint64_t epoch, std::uint64_t revision) {
  auto change = std::make_shared<v1::ModuleChange>();
  change->set_kind(kind);
  change->set_epoch(epoch);
  change->set_revision(revision);
  return change;
}

}  // namespace

void Watchers::add(std::shared_ptr<rpc::Watcher> watcher, const registry::Membership& members, std::uint64_t epoch) {
  const auto& request = watcher->request();
  if (!request.changes_only()) {
    const auto modules = members.list();
    watcher->allow(modules.size() + 1);
    for (const auto& module : modules) {
      if (!request.service().empty() && module->service != request.service()) continue;
      auto change = change_of(v1::ModuleChange::KIND_CURRENT, epoch, members.revision());
      *change->mutable_module() = bus::to_proto(*module);
      watcher->push(std::move(change));
    }
    watcher->push(change_of(v1::ModuleChange::KIND_SYNCED, epoch, members.revision()));
  }
  watcher->told = 1;
  all_.push_back(std::move(watcher));
}

void Watchers::tell(const registry::Notice& notice, std::uint64_t epoch) {
  if (all_.empty()) return;
  constexpr std::array kinds = {v1::ModuleChange::KIND_ADDED, v1::ModuleChange::KIND_CHANGED, v1::ModuleChange::KIND_REMOVED};
  auto change = change_of(kinds[static_cast<std::size_t>(notice.kind)], epoch, notice.revision);
  *change->mutable_module() = bus::to_proto(*notice.module);
  change->set_reason(notice.reason);
  for (const auto& watcher : all_) {
    const auto& service = watcher->request().service();
    if (!service.empty() && service != notice.module->service) continue;
    watcher->push(change);
    ++watcher->told;
  }
}

void Watchers::tick(std::uint64_t epoch, std::uint64_t revision, MonoTime now) {
  if (now - told_alive_ < alive_interval) return;
  told_alive_ = now;
  std::erase_if(all_, [](const auto& watcher) { return watcher->over(); });
  for (const auto& watcher : all_)
    if (std::exchange(watcher->told, 0) == 0) watcher->push(change_of(v1::ModuleChange::KIND_ALIVE, epoch, revision));
}

void Watchers::end_all(const grpc::Status& status) {
  for (const auto& watcher : all_) watcher->end(status);
  all_.clear();
}

}  // namespace nlb::registrar
